/* The two rings in shared memory, in the format of libs/ring (see there for restarts: positions never go back).
 *
 * Producer's area:  0 magic and version, 8 epoch, 16 head (bytes ever written), 48 start (where this epoch's first
 * record begins); data from 4096 on.
 * Consumer's page:  0 tail (bytes ever taken), 8 epoch that the consumer has seen.
 * A record is a u32 length, that many bytes, and padding to a multiple of 8; it may wrap at any byte.
 *
 * The other side is not trusted: what it writes is read once, and a position or length that cannot be true makes the
 * whole content of the ring be dropped. */
#ifndef ALPHA_RING_H
#define ALPHA_RING_H

#include <stdbool.h>
#include <stdint.h>

#define ALPHA_RING_MAGIC 0x31474e4952ull
#define ALPHA_RING_DATA  4096u

struct alpha_ring_producer { uint64_t magic, epoch, head, lossy[3], start; };
struct alpha_ring_consumer { uint64_t tail, epoch; };

static inline uint64_t alpha_ring_record(uint64_t len) { return (4 + len + 7) & ~7ull; }

/* ---- producing ---- */

struct alpha_ring_out {
    struct alpha_ring_producer *own;
    const struct alpha_ring_consumer *peer;
    uint64_t capacity, head, epoch;
};

static inline void alpha_ring_out_init(struct alpha_ring_out *r, uint64_t area, uint64_t capacity, uint64_t peer, uint64_t epoch) {
    r->own = (struct alpha_ring_producer *)area;
    r->peer = (const struct alpha_ring_consumer *)peer;
    r->capacity = capacity;
    r->head = __atomic_load_n(&r->own->head, __ATOMIC_RELAXED) & ~7ull;
    r->epoch = epoch;
    __atomic_store_n(&r->own->start, r->head, __ATOMIC_RELAXED);
    __atomic_store_n(&r->own->head, r->head, __ATOMIC_RELAXED);
    __atomic_store_n(&r->own->magic, ALPHA_RING_MAGIC, __ATOMIC_RELEASE);
    __atomic_store_n(&r->own->epoch, epoch, __ATOMIC_RELEASE);
}

static inline uint64_t alpha_ring_room(const struct alpha_ring_out *r) {
    uint64_t tail = __atomic_load_n(&r->peer->tail, __ATOMIC_ACQUIRE);
    uint64_t filled = r->head - tail;
    return filled > r->capacity ? 0 : r->capacity - filled;
}

static inline void alpha_ring_put(const struct alpha_ring_out *r, uint64_t at, const void *from, uint64_t len) {
    unsigned char *data = (unsigned char *)r->own + ALPHA_RING_DATA;
    const unsigned char *p = (const unsigned char *)from;
    for (uint64_t i = 0; i < len; i++) data[(at + i) & (r->capacity - 1)] = p[i];
}

/* False if there is no room now. */
static inline bool alpha_ring_push(struct alpha_ring_out *r, const void *record, uint32_t len) {
    uint64_t whole = alpha_ring_record(len);
    if (whole > alpha_ring_room(r)) return false;
    alpha_ring_put(r, r->head, &len, 4);
    alpha_ring_put(r, r->head + 4, record, len);
    r->head += whole;
    __atomic_store_n(&r->own->head, r->head, __ATOMIC_RELEASE);
    return true;
}

/* ---- consuming ---- */

struct alpha_ring_in {
    const struct alpha_ring_producer *peer;
    struct alpha_ring_consumer *own;
    uint64_t capacity, tail, epoch;
};

/* What was left in the ring for an earlier life of this program is not answered any more: it is skipped. */
static inline void alpha_ring_in_init(struct alpha_ring_in *r, uint64_t area, uint64_t capacity, uint64_t own) {
    r->peer = (const struct alpha_ring_producer *)area;
    r->own = (struct alpha_ring_consumer *)own;
    r->capacity = capacity;
    r->epoch = __atomic_load_n(&r->peer->epoch, __ATOMIC_ACQUIRE);
    r->tail = __atomic_load_n(&r->peer->head, __ATOMIC_ACQUIRE) & ~7ull;
    __atomic_store_n(&r->own->epoch, r->epoch, __ATOMIC_RELAXED);
    __atomic_store_n(&r->own->tail, r->tail, __ATOMIC_RELEASE);
}

/* Bytes that wait, after taking note of a producer that started anew. */
static inline uint64_t alpha_ring_waiting(struct alpha_ring_in *r) {
    if (__atomic_load_n(&r->peer->magic, __ATOMIC_ACQUIRE) != ALPHA_RING_MAGIC) return 0;
    uint64_t epoch = __atomic_load_n(&r->peer->epoch, __ATOMIC_ACQUIRE);
    if (epoch != r->epoch) {
        r->epoch = epoch;
        r->tail = __atomic_load_n(&r->peer->start, __ATOMIC_ACQUIRE) & ~7ull;
        __atomic_store_n(&r->own->epoch, epoch, __ATOMIC_RELAXED);
        __atomic_store_n(&r->own->tail, r->tail, __ATOMIC_RELEASE);
    }
    return __atomic_load_n(&r->peer->head, __ATOMIC_ACQUIRE) - r->tail;
}

static inline void alpha_ring_get(const struct alpha_ring_in *r, uint64_t at, void *to, uint64_t len) {
    const volatile unsigned char *data = (const volatile unsigned char *)r->peer + ALPHA_RING_DATA;
    unsigned char *p = (unsigned char *)to;
    for (uint64_t i = 0; i < len; i++) p[i] = data[(at + i) & (r->capacity - 1)];
}

static inline void alpha_ring_take(struct alpha_ring_in *r, uint64_t bytes) {
    r->tail += bytes;
    __atomic_store_n(&r->own->tail, r->tail, __ATOMIC_RELEASE);
}

/* Length of the next record; -1 if there is none, -2 if the ring made no sense and was emptied. */
static inline int64_t alpha_ring_next(struct alpha_ring_in *r) {
    uint64_t waiting = alpha_ring_waiting(r);
    if (waiting == 0) return -1;
    uint32_t len = 0;
    if (waiting >= 8 && waiting <= r->capacity && waiting % 8 == 0) {
        alpha_ring_get(r, r->tail, &len, 4);
        if (alpha_ring_record(len) <= waiting) return (int64_t)len;
    }
    alpha_ring_take(r, waiting);
    return -2;
}

/* Copies the record of the length that alpha_ring_next gave, and takes it off the ring. */
static inline void alpha_ring_pop(struct alpha_ring_in *r, void *to, uint32_t len) {
    alpha_ring_get(r, r->tail + 4, to, len);
    alpha_ring_take(r, alpha_ring_record(len));
}

#endif
