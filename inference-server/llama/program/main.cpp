// The llama protection domain: takes commands off one ring, answers on the other. It trusts nobody and needs to be
// trusted by nobody: it holds no capability but the signals of its two rings and of its own threads. When it dies, a
// conversation loses the answer in progress and the prompt cache; the inference server hears Hello and loads again.
//
// It must never take a command for something else because the ring said so: all is copied out, then checked.
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <new>

#include "engine.hpp"
#include "ring.h"
#include "sys.h"

using namespace proto;

namespace {

alpha_ring_in commands;
alpha_ring_out replies;
int replies_lock; // the main thread sends; a dying worker may want to say why

class Program final : public Surroundings {
  public:
    void send(const Reply &reply) override {
        std::vector<uint8_t> bytes = postcard::encode(reply);
        if (alpha_ring_record(bytes.size()) > replies.capacity) alpha_die("a reply is larger than its ring");
        while (!push(bytes)) {
            alpha_signal(alpha_start->signal_cap);
            alpha_wait(alpha_start->wait_cap);
        }
        alpha_signal(alpha_start->signal_cap);
    }

    bool stopped(uint32_t id) override {
        if (alpha_ring_waiting(&commands) != 0) take();
        return stop_ == id;
    }

    MemoryUse memory() override {
        alpha_arena use = alpha_arena_use();
        return {use.used, use.peak, use.len};
    }

    [[noreturn]] void run() {
        send(Hello{version, static_cast<uint32_t>(alpha_start->thread_count), alpha_start->arena_len, alpha_start->model_len});
        auto text = [](const uint64_t (&words)[7]) {
            char name[sizeof words + 1] = {};
            std::memcpy(name, words, sizeof words);
            return std::string(utf8::clean(name));
        };
        Engine engine(*this, {"/model.gguf", text(alpha_start->model_name), alpha_start->model_len},
                      {"/spare.gguf", text(alpha_start->spare_name), alpha_start->spare_len},
                      static_cast<uint32_t>(alpha_start->thread_count));
        for (;;) {
            take();
            if (waiting_.empty()) {
                alpha_wait(alpha_start->wait_cap);
                continue;
            }
            Command next = std::move(waiting_.front());
            waiting_.pop_front();
            stop_ = 0;
            std::visit([&](auto &command) { answer(engine, command); }, next);
        }
    }

  private:
    std::deque<Command> waiting_;
    uint32_t stop_ = 0;       // id of the running work that is to end; 0: none
    uint32_t running_ = 0;

    bool push(const std::vector<uint8_t> &bytes) {
        while (__atomic_exchange_n(&replies_lock, 1, __ATOMIC_ACQUIRE)) {}
        bool done = alpha_ring_push(&replies, bytes.data(), static_cast<uint32_t>(bytes.size()));
        __atomic_store_n(&replies_lock, 0, __ATOMIC_RELEASE);
        return done;
    }

    static uint32_t id_of(const Command &command) {
        return std::visit([](const auto &c) -> uint32_t { if constexpr (requires { c.id; }) return c.id; else return 0; }, command);
    }

    // Moves commands from the ring into the queue; a Stop takes effect at once.
    void take() {
        for (;;) {
            int64_t length = alpha_ring_next(&commands);
            if (length == -1) return;
            if (length == -2) {
                send(Error{0, ErrorKind::Malformed, "the command ring"});
                continue;
            }
            std::vector<uint8_t> bytes(static_cast<size_t>(length));
            alpha_ring_pop(&commands, bytes.data(), static_cast<uint32_t>(length));
            alpha_signal(alpha_start->signal_cap); // there is room again
            Command command;
            if (!postcard::decode(bytes.data(), bytes.size(), command)) send(Error{0, ErrorKind::Malformed, ""});
            else if (auto *stop = std::get_if<Stop>(&command)) stop_work(stop->id);
            else if (waiting_.size() >= queue) send(Error{id_of(command), ErrorKind::Busy, ""});
            else waiting_.push_back(std::move(command));
        }
    }

    void stop_work(uint32_t id) {
        if (id == 0) return;
        if (id == running_) {
            stop_ = id;
            return;
        }
        for (auto it = waiting_.begin(); it != waiting_.end(); ++it)
            if (id_of(*it) == id) {
                waiting_.erase(it);
                send(Error{id, ErrorKind::Stopped, ""});
                return;
            }
    }

    void answer(Engine &e, const Load &c) { e.load(c); }
    void answer(Engine &e, const Unload &) { e.unload(); }
    void answer(Engine &e, const Tokenize &c) { e.tokenize(c); }
    void answer(Engine &e, const ApplyTemplate &c) { e.apply_template(c); }
    void answer(Engine &e, const Generate &c) { running_ = c.id; e.generate(c); running_ = 0; }
    void answer(Engine &, const Stop &) {}
    void answer(Engine &e, const Embed &c) { running_ = c.id; e.embed(c); running_ = 0; }
    void answer(Engine &e, const AskMetadata &c) { e.metadata(c.id); }
    void answer(Engine &e, const Forget &) { e.forget(); }
};

} // namespace

extern "C" {

// Lines that the C library or llama.cpp print past the log; the last one is mostly why the program ends.
void alpha_console(const char *text, size_t len) {
    static char line[256];
    static size_t used;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n' && used < sizeof line - 1) line[used++] = text[i];
        if (text[i] == '\n') used = 0;
    }
}

// Reply::Log without allocating; dropped if there is no room.
static void say(Level level, std::string_view text) {
    constexpr size_t most = 300;
    if (!utf8::valid(text)) text = "(a message that is no text)";
    text = utf8::prefix(text, most);
    uint8_t record[most + 8];
    uint32_t n = 0;
    static_assert(std::is_same_v<std::variant_alternative_t<13, Reply>, Log>);
    record[n++] = 13;
    record[n++] = static_cast<uint8_t>(level);
    size_t size = text.size();
    if (size >= 0x80) record[n++] = static_cast<uint8_t>(size) | 0x80, size >>= 7;
    record[n++] = static_cast<uint8_t>(size);
    std::memcpy(record + n, text.data(), text.size());
    n += static_cast<uint32_t>(text.size());
    for (int i = 0; i < 1 << 20 && __atomic_exchange_n(&replies_lock, 1, __ATOMIC_ACQUIRE); i++) {}
    if (replies.own) (void)alpha_ring_push(&replies, record, n);
    __atomic_store_n(&replies_lock, 0, __ATOMIC_RELEASE);
    alpha_signal(alpha_start->signal_cap);
}

void alpha_last_words(const char *text, size_t len) { say(Level::Fatal, {text, len}); }

// Most of llama.cpp looks at what an allocation gives; what does not, dies of it, and this line says why.
void alpha_memory_ran_out(uint64_t asked) {
    static int said;
    if (said++ >= 16) return;
    alpha_arena use = alpha_arena_use();
    char text[128];
    int n = std::snprintf(text, sizeof text, "memory ran out: %llu KiB wanted, %llu of %llu in use", static_cast<unsigned long long>(asked >> 10),
                          static_cast<unsigned long long>(use.used >> 10), static_cast<unsigned long long>(use.len >> 10));
    say(Level::Warn, {text, static_cast<size_t>(n)});
}

} // extern "C"

int main() {
    const alpha_llama_start *s = alpha_start;
    alpha_ring_out_init(&replies, s->rep_ring, s->rep_capacity, s->rep_tail);
    alpha_ring_in_init(&commands, s->cmd_ring, s->cmd_capacity, s->cmd_tail);

    ggml_set_abort_callback([](const char *why) {
        // The commonest reason deserves its name.
        static char text[256];
        bool memory = std::strstr(why, "mem_buffer != NULL") || std::strstr(why, "alloc");
        std::snprintf(text, sizeof text, "%s%s", memory ? "out of memory: " : "", why);
        alpha_die(text);
    });
    std::set_terminate([] { alpha_die("an error that nobody handled"); });
    try {
        Program().run();
    } catch (const std::exception &e) {
        alpha_die(e.what());
    }
}
