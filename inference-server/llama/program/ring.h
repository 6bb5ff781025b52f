/* The two rings in shared memory, in the format of libs/ring, which explains it.
 *
 * The other side is not trusted: what it writes is read once, and a position or length that cannot be true makes the
 * whole content of the ring be dropped. */
#ifndef ALPHA_RING_H
#define ALPHA_RING_H

#include <stdbool.h>
#include <stdint.h>

#define ALPHA_RING_MAGIC 0x31474e4952ull
#define ALPHA_RING_DATA  4096u

/* Positions count bytes since the ring was made and never go back. */
struct alpha_ring_producer { uint64_t magic, epoch, head, reserve, last, records, start; };
struct alpha_ring_consumer { uint64_t tail, epoch; };

static inline uint64_t alpha_ring_record(uint64_t len) { return (4 + len + 7) & ~7ull; }

/* ---- producing ---- */

struct alpha_ring_out {
    struct alpha_ring_producer *own;
    const struct alpha_ring_consumer *peer;
    uint64_t capacity, head;
};

static inline uint64_t alpha_ring_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void alpha_ring_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

/* Goes on where the former life stopped, with the next epoch: the consumer drops what that one left. */
static inline void alpha_ring_out_init(struct alpha_ring_out *r, uint64_t area, uint64_t capacity, uint64_t peer) {
    struct alpha_ring_producer *own = (struct alpha_ring_producer *)area;
    int used = alpha_ring_load(&own->magic) == ALPHA_RING_MAGIC;
    uint64_t epoch = used ? alpha_ring_load(&own->epoch) + 1 : 1;
    r->own = own;
    r->peer = (const struct alpha_ring_consumer *)peer;
    r->capacity = capacity;
    r->head = used ? alpha_ring_load(&own->head) & ~7ull : 0;
    alpha_ring_store(&own->reserve, r->head);
    alpha_ring_store(&own->last, r->head);
    alpha_ring_store(&own->records, 0);
    alpha_ring_store(&own->start, r->head);
    alpha_ring_store(&own->head, r->head);
    alpha_ring_store(&own->magic, ALPHA_RING_MAGIC);
    alpha_ring_store(&own->epoch, epoch ? epoch : 1);
}

static inline uint64_t alpha_ring_room(const struct alpha_ring_out *r) {
    uint64_t filled = r->head - alpha_ring_load(&r->peer->tail);
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
    alpha_ring_store(&r->own->head, r->head);
    return true;
}

/* ---- consuming ---- */

struct alpha_ring_in {
    const struct alpha_ring_producer *peer;
    struct alpha_ring_consumer *own;
    uint64_t capacity, tail, epoch;
};

static inline void alpha_ring_publish(struct alpha_ring_in *r) {
    alpha_ring_store(&r->own->epoch, r->epoch);
    alpha_ring_store(&r->own->tail, r->tail);
}

static inline uint64_t alpha_ring_head(const struct alpha_ring_in *r) { return alpha_ring_load(&r->peer->head) & ~7ull; }

/* Begins behind what was written for an earlier life of this program: nobody waits for that any more. */
static inline void alpha_ring_in_init(struct alpha_ring_in *r, uint64_t area, uint64_t capacity, uint64_t own) {
    r->peer = (const struct alpha_ring_producer *)area;
    r->own = (struct alpha_ring_consumer *)own;
    r->capacity = capacity;
    r->epoch = alpha_ring_load(&r->peer->epoch);
    r->tail = alpha_ring_head(r);
    alpha_ring_publish(r);
}

/* Bytes that wait, after taking note of a producer that started anew: what its former life left is dropped. */
static inline uint64_t alpha_ring_waiting(struct alpha_ring_in *r) {
    uint64_t epoch = alpha_ring_load(&r->peer->epoch), head = alpha_ring_head(r);
    if (epoch != r->epoch) {
        uint64_t start = alpha_ring_load(&r->peer->start) & ~7ull;
        r->epoch = epoch;
        r->tail = head - start <= r->capacity ? start : head;
        alpha_ring_publish(r);
    }
    return head - r->tail;
}

static inline void alpha_ring_get(const struct alpha_ring_in *r, uint64_t at, void *to, uint64_t len) {
    const volatile unsigned char *data = (const volatile unsigned char *)r->peer + ALPHA_RING_DATA;
    unsigned char *p = (unsigned char *)to;
    for (uint64_t i = 0; i < len; i++) p[i] = data[(at + i) & (r->capacity - 1)];
}

static inline void alpha_ring_take(struct alpha_ring_in *r, uint64_t bytes) {
    r->tail += bytes;
    alpha_ring_publish(r);
}

/* Length of the next record; -1 if there is none, -2 if the ring made no sense and was emptied. */
static inline int64_t alpha_ring_next(struct alpha_ring_in *r) {
    uint64_t waiting = alpha_ring_waiting(r);
    if (waiting == 0) return -1;
    uint32_t len = 0;
    if (waiting <= r->capacity) {
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
