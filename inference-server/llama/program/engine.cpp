#include "engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "llama-ext.h"
#include "utf8.hpp"

using namespace proto;

namespace {

constexpr uint32_t default_context = 2048, default_batch = 128, embedding_context = 512, embedding_batch = 32;
constexpr int log_lines_per_load = 48, log_lines_per_command = 8;
constexpr size_t log_bytes = 400;

uint64_t now_us() { return static_cast<uint64_t>(ggml_time_us()); }

// GGML_LOG_LEVEL_CONT goes on with the line before.
void on_log(ggml_log_level level, const char *text, void *engine) {
    static_cast<Engine *>(engine)->log_line(level, text);
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::string numbers(const char *form, uint64_t a, uint64_t b) {
    char text[160];
    std::snprintf(text, sizeof text, form, static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
    return text;
}

// Text that the stop strings may still take back is held; the rest goes out at whole characters.
class Speaker {
  public:
    explicit Speaker(const std::vector<std::string> &stops) : stops_(stops) {}

    // Adds bytes of a token; returns what can be said now. Afterwards stopped() tells whether a stop string was met.
    std::string add(std::string_view bytes) {
        raw_.append(bytes);
        raw_.erase(0, utf8::append(held_, raw_));
        size_t first = held_.npos, hold = 0;
        for (const std::string &stop : stops_) {
            first = std::min(first, held_.find(stop));
            for (size_t n = std::min(stop.size() - 1, held_.size()); n > hold; n--)
                if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) hold = n;
        }
        if (first != held_.npos) {
            stopped_ = true;
            std::string out = held_.substr(0, first);
            held_.clear();
            raw_.clear();
            return out;
        }
        std::string out(utf8::prefix(held_, held_.size() - hold));
        held_.erase(0, out.size());
        return out;
    }

    // What is left when nothing comes any more.
    std::string finish() {
        std::string out = std::move(held_) + (raw_.empty() ? "" : "\xef\xbf\xbd");
        held_.clear();
        raw_.clear();
        return out;
    }

    bool stopped() const { return stopped_; }

  private:
    const std::vector<std::string> &stops_;
    std::string raw_, held_;
    bool stopped_ = false;
};

struct SamplerDeleter { void operator()(llama_sampler *s) const { llama_sampler_free(s); } };
using Sampler = std::unique_ptr<llama_sampler, SamplerDeleter>;

bool sane(const Sampling &s) {
    auto within = [](float v, float low, float high) { return std::isfinite(v) && v >= low && v <= high; };
    return within(s.temperature, -1e6f, 100) && within(s.top_p, 0, 1) && within(s.min_p, 0, 1) &&
           within(s.repeat_penalty, 0.01f, 100) && s.top_k <= 1u << 30 && s.repeat_last <= 1u << 16;
}

Sampler make_sampler(const Sampling &s, int32_t n_vocab) {
    llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf = true;
    Sampler chain(llama_sampler_chain_init(params));
    auto add = [&](llama_sampler *each) { llama_sampler_chain_add(chain.get(), each); };
    if (s.repeat_penalty != 1.0f && s.repeat_last > 0)
        add(llama_sampler_init_penalties(n_vocab, static_cast<int32_t>(s.repeat_last), s.repeat_penalty, 0, 0));
    if (s.temperature <= 0) {
        add(llama_sampler_init_greedy());
        return chain;
    }
    if (s.top_k > 0) add(llama_sampler_init_top_k(static_cast<int32_t>(s.top_k)));
    if (s.top_p < 1) add(llama_sampler_init_top_p(s.top_p, 1));
    if (s.min_p > 0) add(llama_sampler_init_min_p(s.min_p, 1));
    add(llama_sampler_init_temp(s.temperature));
    /* the default seed would ask for entropy, of which this program has none */
    add(llama_sampler_init_dist(s.seed == LLAMA_DEFAULT_SEED ? 0 : s.seed));
    return chain;
}

const char *role_name(Role role) {
    return role == Role::System ? "system" : role == Role::User ? "user" : "assistant";
}

// Applies one of llama.cpp's templates; false if it does not know `text`.
bool apply(const std::string &text, const std::vector<llama_chat_message> &messages, bool add_assistant, std::string &out) {
    size_t guess = 256;
    for (const auto &m : messages) guess += 2 * std::strlen(m.content) + 64;
    for (int round = 0; round < 2; round++) {
        out.resize(guess);
        int32_t n = llama_chat_apply_template(text.c_str(), messages.data(), messages.size(), add_assistant, out.data(), static_cast<int32_t>(out.size()));
        if (n < 0) return false;
        if (static_cast<size_t>(n) <= out.size()) {
            out.resize(n);
            return true;
        }
        guess = n;
    }
    return false;
}

bool knows(const std::string &text) {
    std::string out;
    return apply(text, {{"user", "a"}}, true, out);
}

} // namespace

Engine::Engine(Surroundings &around, ModelFile model, ModelFile spare, uint32_t threads)
    : around_(around), model_file_(std::move(model)), spare_file_(std::move(spare)), threads_(threads) {
    llama_log_set(on_log, this);
    llama_backend_init();
    /* One pool for the whole life: without one each step would make and end a thread. It waits for work by a futex,
     * after a short spin that bridges the time between two tokens. */
    ggml_threadpool_params params = ggml_threadpool_params_default(static_cast<int>(threads_));
    params.poll = 1;
    pool_ = ggml_threadpool_new(&params);
    if (!pool_) throw std::runtime_error("the thread pool could not be made");
}

Engine::~Engine() {
    close();
    if (pool_) ggml_threadpool_free(pool_);
    llama_log_set(nullptr, nullptr);
}

void Engine::log_line(ggml_log_level level, std::string_view text) {
    if (aborted_) return; // a stop is no trouble, whatever llama.cpp says of it
    if (level == GGML_LOG_LEVEL_CONT || level == GGML_LOG_LEVEL_DEBUG || level == GGML_LOG_LEVEL_INFO) return;
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    if (text.empty()) return;
    std::string line(utf8::prefix(utf8::clean(text), log_bytes));
    if (level == GGML_LOG_LEVEL_ERROR && (last_error_.empty() || !has(line, "failed to load model"))) last_error_ = line;
    if (log_budget_-- > 0) around_.send(Log{level == GGML_LOG_LEVEL_ERROR ? Level::Error : Level::Warn, line});
}

bool Engine::abort_now(void *self) {
    auto *engine = static_cast<Engine *>(self);
    engine->aborted_ = engine->working_on_ && engine->around_.stopped(engine->working_on_);
    return engine->aborted_;
}

// ---- loading ----

void Engine::close() {
    if (context_) llama_free(context_);
    if (embedder_) llama_free(embedder_);
    if (model_) llama_model_free(model_);
    context_ = embedder_ = nullptr;
    model_ = nullptr;
    vocab_ = nullptr;
    cached_.clear();
    can_generate_ = false;
}

// The first 24 bytes, so that the commonest mistakes get a plain answer.
bool Engine::check_header(std::string &detail, LoadError &reason) const {
    if (file_->bytes == 0) {
        reason = LoadError::NoModel;
        return false;
    }
    struct { char magic[4]; uint32_t version; uint64_t tensors, entries; } head{};
    FILE *file = std::fopen(file_->path.c_str(), "rb");
    size_t got = file ? std::fread(&head, 1, sizeof head, file) : 0;
    if (file) std::fclose(file);
    if (got < 4 || std::memcmp(head.magic, "GGUF", 4) != 0) {
        reason = LoadError::NotGguf;
        detail = "it does not begin with the letters GGUF";
        return false;
    }
    if (got < sizeof head) {
        reason = LoadError::Truncated;
        detail = numbers("%llu bytes, the header alone has %llu", file_->bytes, sizeof head);
        return false;
    }
    if (head.version < 2 || head.version > 3) {
        reason = LoadError::Version;
        detail = numbers("version %llu%.0llu", head.version, 0);
        return false;
    }
    if (head.tensors == 0) {
        reason = LoadError::Malformed;
        detail = "it has no tensors";
        return false;
    }
    if (head.tensors > file_->bytes / 24 || head.entries > file_->bytes / 13) { // each takes that much at least
        reason = LoadError::Truncated;
        detail = numbers("%llu tensors and %llu metadata entries do not fit into it", head.tensors, head.entries);
        return false;
    }
    return true;
}

void Engine::load(const Load &ask) {
    uint64_t started = now_us();
    LoadError reason = LoadError::Malformed;
    std::string detail;
    bool done = false;
    close();
    file_ = ask.spare ? &spare_file_ : &model_file_;
    log_budget_ = log_lines_per_load;
    try {
        if (check_header(detail, reason)) {
            bool repack = ask.repack != Repack::Never;
            done = open(ask, repack, started, detail, reason);
            bool memory = reason == LoadError::OutOfMemory || reason == LoadError::Context;
            if (!done && repack && ask.repack == Repack::Auto && memory) {
                close();
                done = open(ask, false, started, detail, reason);
            }
        }
    } catch (const std::bad_alloc &) {
        reason = LoadError::OutOfMemory;
    } catch (const std::exception &e) {
        detail = e.what();
    }
    if (done) return;
    close();
    if (reason == LoadError::OutOfMemory || reason == LoadError::Context)
        detail += numbers(detail.empty() ? "%llu MiB given, %llu MiB file" : " (%llu MiB given, %llu MiB file)",
                          around_.memory().total >> 20, file_->bytes >> 20);
    around_.send(LoadFailed{reason, std::string(utf8::prefix(utf8::clean(detail), log_bytes))});
}

bool Engine::open(const Load &ask, bool repack, uint64_t started, std::string &detail, LoadError &reason) {
    last_error_.clear();
    auto failed = [&](LoadError otherwise) {
        reason = otherwise;
        if (has(last_error_, "unknown model architecture")) reason = LoadError::UnknownArchitecture;
        else if (has(last_error_, "alloc")) reason = LoadError::OutOfMemory;
        else if (has(last_error_, "not within the file bounds") || has(last_error_, "end of file") || has(last_error_, "failed to read"))
            reason = LoadError::Truncated;
        detail = last_error_;
        for (const char *front : {"llama_model_load: error loading model: ", "error loading model: "})
            if (size_t at = detail.find(front); at != detail.npos) detail.erase(0, at + std::strlen(front));
        return false;
    };

    struct Progress { Surroundings &around; int said; } progress{around_, -1};
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    params.load_mode = LLAMA_LOAD_MODE_MMAP; /* the weights stay where they are */
    params.use_extra_bufts = repack;
    params.progress_callback_user_data = &progress;
    params.progress_callback = [](float part, void *data) {
        auto *p = static_cast<Progress *>(data);
        int permille = static_cast<int>(part * 1000);
        if (permille >= p->said + 50 || (permille == 1000 && p->said < 1000)) {
            p->said = permille;
            p->around.send(LoadProgress{static_cast<uint16_t>(std::clamp(permille, 0, 1000))});
        }
        return true;
    };
    model_ = llama_model_load_from_file(file_->path.c_str(), params);
    if (!model_) return failed(LoadError::Malformed);
    vocab_ = llama_model_get_vocab(model_);

    int32_t trained = llama_model_n_ctx_train(model_);
    uint32_t most = trained > 0 ? static_cast<uint32_t>(trained) : default_context;
    uint32_t n_ctx = std::min(ask.n_ctx ? ask.n_ctx : default_context, most);
    batch_ = std::clamp(ask.n_batch ? ask.n_batch : default_batch, 1u, n_ctx);
    threads_now_ = ask.threads ? std::min(ask.threads, threads_) : threads_;
    std::string architecture = meta("general.architecture");
    can_generate_ = meta(architecture + ".attention.causal") != "false" && !llama_model_has_encoder(model_) &&
                    !llama_model_is_diffusion(model_) && llama_vocab_n_tokens(vocab_) > 0;

    uint64_t kv = 0, compute = 0;
    bool repacked = false; /* there may be no weights of a kind that is */
    if (can_generate_) {
        llama_context_params c = llama_context_default_params();
        c.n_ctx = n_ctx;
        c.n_batch = c.n_ubatch = batch_;
        c.n_seq_max = 1;
        c.n_outputs_max = 1; /* logits of the last token only: with a large vocabulary the largest saving there is */
        c.n_threads = c.n_threads_batch = static_cast<int32_t>(threads_now_);
        c.abort_callback = abort_now;
        c.abort_callback_data = this;
        c.no_perf = true;
        context_ = llama_init_from_model(model_, c);
        if (!context_) return failed(LoadError::Context);
        llama_attach_threadpool(context_, pool_, pool_);
        can_generate_ = llama_get_memory(context_) != nullptr;
        for (const auto &[type, part] : llama_get_memory_breakdown(context_)) {
            kv += part.context;
            compute += part.compute;
            repacked |= part.model > 0 && type && has(ggml_backend_buft_name(type), "REPACK");
        }
    }
    choose_template(ask.template_);

    Loaded loaded;
    loaded.name = meta("general.name");
    if (loaded.name.empty()) loaded.name = file_->name;
    loaded.name = std::string(utf8::prefix(loaded.name, 128));
    loaded.architecture = architecture;
    loaded.file_type = llama_ftype_name(llama_model_ftype(model_));
    loaded.parameters = llama_model_n_params(model_);
    loaded.weight_bytes = llama_model_size(model_);
    loaded.n_ctx_train = static_cast<uint32_t>(std::max(trained, 0));
    loaded.n_ctx = context_ ? llama_n_ctx(context_) : std::min(embedding_context, most);
    loaded.n_vocab = static_cast<uint32_t>(llama_vocab_n_tokens(vocab_));
    loaded.n_embd = static_cast<uint32_t>(llama_model_n_embd_out(model_));
    loaded.threads = threads_now_;
    loaded.template_ = template_kind_;
    loaded.template_name = template_name();
    loaded.can_generate = can_generate_;
    loaded.repacked = repacked;
    MemoryUse memory = around_.memory();
    loaded.arena_used = memory.used;
    loaded.arena_peak = memory.peak;
    loaded.arena_bytes = memory.total;
    loaded.kv_bytes = kv;
    loaded.compute_bytes = compute;
    loaded.load_us = now_us() - started;
    around_.send(loaded);
    return true;
}

void Engine::unload() {
    close();
    around_.send(Unloaded{});
}

void Engine::forget() {
    cached_.clear();
    if (context_ && llama_get_memory(context_)) llama_memory_clear(llama_get_memory(context_), false);
}

std::string Engine::meta(const std::string &key) const {
    std::string value(1024, '\0');
    int32_t n = llama_model_meta_val_str(model_, key.c_str(), value.data(), value.size());
    if (n < 0) return "";
    value.resize(std::min<size_t>(n, value.size() - 1));
    return utf8::clean(value);
}

// ---- chat templates ----

void Engine::choose_template(const std::string &given) {
    const char *own = llama_model_chat_template(model_, nullptr);
    if (!given.empty() && knows(given)) {
        template_kind_ = Template::Given;
        template_ = given;
        return;
    }
    if (own && knows(own)) {
        template_kind_ = Template::Model;
        template_ = own;
        return;
    }
    template_kind_ = own ? Template::Unknown : Template::Missing;
    template_.clear();
    /* A form whose markers are control tokens of this vocabulary is most likely the one the model was trained on. */
    const std::pair<const char *, const char *> forms[] = {
        {"<|im_start|>", "chatml"}, {"<|start_header_id|>", "llama3"}, {"<start_of_turn>", "gemma"},
        {"<|start_of_role|>", "granite"}, {"[INST]", "mistral-v3"}, {"<|user|>", "zephyr"},
    };
    for (auto [marker, name] : forms) {
        Tokens tokens = split(marker, false, true);
        if (tokens.size() == 1 && (llama_vocab_get_attr(vocab_, tokens[0]) & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED)) && knows(name)) {
            template_ = name;
            return;
        }
    }
}

// llama.cpp recognises a template by what it contains and keeps to itself as which one; rendering all tells.
std::string Engine::template_name() const {
    if (template_.empty()) return "plain";
    const std::vector<llama_chat_message> probe = {{"system", "S"}, {"user", "U"}, {"assistant", "A"}, {"user", "V"}};
    std::string ours, theirs;
    if (!apply(template_, probe, true, ours)) return "";
    std::vector<const char *> names(llama_chat_builtin_templates(nullptr, 0));
    llama_chat_builtin_templates(names.data(), names.size());
    for (const char *name : names)
        if (apply(name, probe, true, theirs) && theirs == ours) return name;
    return "";
}

// A content is data. Where it holds the text of a control token, an invisible character goes between, so that no
// document can end the person's turn and begin the system's.
std::string Engine::defang(const std::string &content) const {
    std::string text = content;
    for (int round = 0; round < 8; round++) {
        Tokens tokens = split(text, false, true);
        bool clean = true;
        for (llama_token t : tokens) {
            if (!(llama_vocab_get_attr(vocab_, t) & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN))) continue;
            const char *name = llama_vocab_get_text(vocab_, t);
            std::string_view marker = name ? name : "";
            if (marker.size() < 2) continue;
            for (size_t at = 0; (at = text.find(marker, at)) != text.npos; at++) {
                int first = utf8::classify(marker);
                text.insert(at + (first > 0 ? first : 1), "\xe2\x80\x8b"); // U+200B
                clean = false;
            }
        }
        if (clean) break;
    }
    return text;
}

std::string Engine::render(const std::vector<Message> &messages, bool add_assistant) const {
    std::vector<std::string> contents;
    for (const Message &m : messages) {
        if (m.content.find('\0') != m.content.npos) throw Failure{ErrorKind::BadArgument, "a message holds a zero byte"};
        contents.push_back(defang(m.content));
    }
    std::vector<llama_chat_message> list;
    for (size_t i = 0; i < messages.size(); i++) list.push_back({role_name(messages[i].role), contents[i].c_str()});
    std::string out;
    if (!template_.empty() && apply(template_, list, add_assistant, out)) return out;
    for (size_t i = 0; i < messages.size(); i++) {
        out += messages[i].role == Role::System ? "" : messages[i].role == Role::User ? "User: " : "Assistant: ";
        out += contents[i] + "\n";
    }
    if (add_assistant) out += "Assistant:";
    return out;
}

// ---- small services ----

void Engine::need_model() const {
    if (!model_) throw Failure{ErrorKind::NoModel, ""};
}

void Engine::guarded(uint32_t id, const std::function<void()> &work) {
    working_on_ = id;
    aborted_ = false;
    log_budget_ = std::max(log_budget_, log_lines_per_command);
    try {
        work();
    } catch (const Failure &f) {
        around_.send(Error{id, f.kind, f.detail});
    } catch (const std::bad_alloc &) {
        around_.send(Error{id, ErrorKind::OutOfMemory, ""});
    } catch (const std::exception &e) {
        around_.send(Error{id, ErrorKind::Compute, std::string(utf8::prefix(utf8::clean(e.what()), log_bytes))});
    }
    working_on_ = 0;
}

Engine::Tokens Engine::split(const std::string &text, bool add_special, bool parse_special) const {
    Tokens tokens(text.size() + 16);
    for (int round = 0; round < 2; round++) {
        int32_t n = llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens.data(), static_cast<int32_t>(tokens.size()), add_special, parse_special);
        if (n >= 0) {
            tokens.resize(n);
            return tokens;
        }
        if (n == INT32_MIN) break;
        tokens.resize(-static_cast<int64_t>(n));
    }
    throw Failure{ErrorKind::TooLong, ""};
}

std::string Engine::piece(llama_token token) const {
    std::string text(64, '\0');
    int32_t n = llama_token_to_piece(vocab_, token, text.data(), static_cast<int32_t>(text.size()), 0, false);
    if (n < 0) {
        text.resize(-n);
        n = llama_token_to_piece(vocab_, token, text.data(), static_cast<int32_t>(text.size()), 0, false);
    }
    text.resize(std::max(n, 0));
    return text;
}

void Engine::tokenize(const Tokenize &ask) {
    guarded(ask.id, [&] {
        need_model();
        Tokens tokens = split(ask.text, ask.add_special, ask.parse_special);
        size_t at = 0;
        do {
            size_t n = std::min(chunk, tokens.size() - at);
            proto::Tokens part{ask.id, static_cast<uint32_t>(tokens.size()), static_cast<uint32_t>(at), {}};
            part.tokens.assign(tokens.begin() + at, tokens.begin() + at + n);
            around_.send(part);
            at += n;
        } while (at < tokens.size());
    });
}

void Engine::apply_template(const ApplyTemplate &ask) {
    guarded(ask.id, [&] {
        need_model();
        std::string text = utf8::clean(render(ask.messages, ask.add_assistant));
        auto tokens = static_cast<uint32_t>(split(text, true, true).size());
        auto total = static_cast<uint32_t>(text.size());
        std::string_view rest = text;
        do {
            std::string_view part = utf8::prefix(rest, text_bytes);
            around_.send(Templated{ask.id, template_kind_, tokens, total, total - static_cast<uint32_t>(rest.size()), std::string(part)});
            rest.remove_prefix(part.size());
        } while (!rest.empty());
    });
}

void Engine::metadata(uint32_t id) {
    guarded(id, [&] {
        need_model();
        auto read = [&](int32_t i, auto *get) {
            std::string text(2048, '\0');
            int32_t n = get(model_, i, text.data(), text.size());
            text.resize(n < 0 ? 0 : std::min<size_t>(n, text.size() - 1));
            return utf8::clean(text);
        };
        int32_t total = llama_model_meta_count(model_), i = 0;
        do {
            Metadata part{id, static_cast<uint32_t>(total), static_cast<uint32_t>(i), {}};
            for (size_t bytes = 0; i < total && bytes < text_bytes; i++) {
                part.entries.push_back({read(i, llama_model_meta_key_by_index), read(i, llama_model_meta_val_str_by_index)});
                bytes += part.entries.back().key.size() + part.entries.back().value.size();
            }
            around_.send(part);
        } while (i < total);
    });
}

// ---- generating ----

void Engine::send_text(uint32_t id, const std::string &text, uint32_t tokens) {
    for (std::string_view rest = text; !rest.empty();) {
        std::string_view part = utf8::prefix(rest, text_bytes);
        around_.send(Text{id, std::string(part), tokens});
        rest.remove_prefix(part.size());
    }
}

void Engine::generate(const Generate &ask) {
    guarded(ask.id, [&] {
        uint64_t started = now_us();
        need_model();
        if (!can_generate_) throw Failure{ErrorKind::Unsupported, "this is an embedding model"};
        if (!sane(ask.sampling)) throw Failure{ErrorKind::BadArgument, "sampling settings"};
        std::vector<std::string> stops;
        for (const std::string &s : ask.stop)
            if (!s.empty()) stops.push_back(s);

        uint32_t n_ctx = llama_n_ctx(context_);
        Tokens prompt;
        if (auto *messages = std::get_if<std::vector<Message>>(&ask.prompt)) {
            prompt = split(render(*messages, true), true, true);
            if (template_.empty()) stops.push_back("\nUser:");
        } else if (auto *text = std::get_if<std::string>(&ask.prompt)) {
            prompt = split(*text, true, true);
        } else {
            auto n_vocab = static_cast<uint32_t>(llama_vocab_n_tokens(vocab_));
            for (uint32_t t : std::get<std::vector<uint32_t>>(ask.prompt)) {
                if (t >= n_vocab) throw Failure{ErrorKind::BadArgument, numbers("token %llu of %llu", t, n_vocab)};
                prompt.push_back(static_cast<llama_token>(t));
            }
        }
        if (prompt.empty()) throw Failure{ErrorKind::BadArgument, "the prompt is empty"};
        if (prompt.size() >= n_ctx) throw Failure{ErrorKind::TooLong, numbers("%llu tokens, the context holds %llu", prompt.size(), n_ctx)};

        Done done;
        done.id = ask.id;
        done.prompt_tokens = static_cast<uint32_t>(prompt.size());

        /* Keep what is already computed. The last token is always computed anew: its logits are needed. */
        llama_memory_t memory = llama_get_memory(context_);
        size_t same = 0;
        while (same + 1 < prompt.size() && same < cached_.size() && cached_[same] == prompt[same]) same++;
        if (same < cached_.size() && !llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(same), -1)) same = 0;
        if (same > 0 && llama_memory_seq_pos_min(memory, 0) > 0) same = 0; /* a window that has moved on */
        if (same == 0) llama_memory_clear(memory, false);
        cached_.resize(same);
        done.reused_tokens = static_cast<uint32_t>(same);

        auto stopped = [&] { return around_.stopped(ask.id); };
        /* Computes tokens after those that are cached; false if it was stopped meanwhile. */
        auto compute = [&](llama_token *tokens, size_t n) {
            int32_t result = llama_decode(context_, llama_batch_get_one(tokens, static_cast<int32_t>(n)));
            if (result == 0) {
                cached_.insert(cached_.end(), tokens, tokens + n);
                return true;
            }
            llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(cached_.size()), -1);
            if (result == 2) return false;
            throw Failure{ErrorKind::Compute, last_error_};
        };

        bool going = true;
        auto total = static_cast<uint32_t>(prompt.size());
        while (going && cached_.size() < prompt.size()) {
            around_.send(PromptProgress{ask.id, static_cast<uint32_t>(cached_.size()), total, done.reused_tokens});
            size_t n = std::min<size_t>(batch_, prompt.size() - cached_.size());
            going = !stopped() && compute(prompt.data() + cached_.size(), n);
        }
        uint64_t prompted = now_us();
        done.prompt_us = prompted - started;
        if (going) around_.send(PromptProgress{ask.id, total, total, done.reused_tokens});

        Sampler sampler = make_sampler(ask.sampling, llama_vocab_n_tokens(vocab_));
        Speaker speaker(stops);
        done.reason = Reason::Stopped;
        while (going) {
            if (stopped()) break;
            llama_token token = llama_sampler_sample(sampler.get(), context_, -1);
            if (done.generated_tokens == 0) done.first_token_us = now_us() - started;
            if (llama_vocab_is_eog(vocab_, token)) {
                done.reason = Reason::EndOfText;
                break;
            }
            done.generated_tokens++;
            send_text(ask.id, speaker.add(piece(token)), done.generated_tokens);
            if (speaker.stopped()) {
                done.reason = Reason::StopText;
                break;
            }
            if (ask.max_tokens && done.generated_tokens >= ask.max_tokens) {
                done.reason = Reason::MaxTokens;
                break;
            }
            if (cached_.size() >= n_ctx) {
                done.reason = Reason::ContextFull;
                break;
            }
            going = compute(&token, 1);
        }
        send_text(ask.id, speaker.finish(), done.generated_tokens);
        done.generate_us = now_us() - prompted;
        around_.send(done);
    });
}

// ---- embedding ----

void Engine::embed(const Embed &ask) {
    guarded(ask.id, [&] {
        need_model();
        int32_t trained = llama_model_n_ctx_train(model_);
        uint32_t n_ctx = trained > 0 ? std::min(embedding_context, static_cast<uint32_t>(trained)) : embedding_context;
        /* A model that was not made for embeddings: the mean over its tokens, computed in small steps, because each
         * step keeps the logits of all its tokens as well. */
        bool generator = meta(meta("general.architecture") + ".pooling_type").empty() && can_generate_;
        if (!embedder_) {
            llama_context_params c = llama_context_default_params();
            c.n_ctx = n_ctx;
            c.n_batch = c.n_ubatch = generator ? std::min(embedding_batch, n_ctx) : n_ctx; /* others want it in one piece */
            c.n_seq_max = 1;
            c.n_threads = c.n_threads_batch = static_cast<int32_t>(threads_now_);
            c.embeddings = true;
            if (generator) c.pooling_type = LLAMA_POOLING_TYPE_NONE;
            c.abort_callback = abort_now;
            c.abort_callback_data = this;
            c.no_perf = true;
            embedder_ = llama_init_from_model(model_, c);
            if (!embedder_) throw Failure{ErrorKind::OutOfMemory, last_error_};
            llama_attach_threadpool(embedder_, pool_, pool_);
        }
        enum llama_pooling_type pooling = llama_pooling_type(embedder_);
        if (pooling == LLAMA_POOLING_TYPE_RANK) throw Failure{ErrorKind::Unsupported, "this model ranks"};
        Tokens tokens = split(ask.text, true, false);
        if (tokens.empty()) throw Failure{ErrorKind::BadArgument, "the text is empty"};
        if (tokens.size() > n_ctx) throw Failure{ErrorKind::TooLong, numbers("%llu tokens, an embedding takes %llu", tokens.size(), n_ctx)};
        if (llama_memory_t memory = llama_get_memory(embedder_)) llama_memory_clear(memory, false);

        auto size = static_cast<size_t>(llama_model_n_embd_out(model_));
        std::vector<double> vector(size);
        size_t step = llama_n_batch(embedder_);
        for (size_t at = 0; at < tokens.size(); at += step) {
            auto n = static_cast<int32_t>(std::min(step, tokens.size() - at));
            llama_batch batch = llama_batch_get_one(tokens.data() + at, n);
            int32_t result = llama_model_has_encoder(model_) ? llama_encode(embedder_, batch) : llama_decode(embedder_, batch);
            if (result == 2) throw Failure{ErrorKind::Stopped, ""};
            if (result != 0) throw Failure{ErrorKind::Compute, last_error_};
            bool rows = pooling == LLAMA_POOLING_TYPE_NONE;
            for (int32_t i = 0; i < (rows ? n : 1); i++) {
                const float *row = rows ? llama_get_embeddings_ith(embedder_, i) : llama_get_embeddings_seq(embedder_, 0);
                if (!row) throw Failure{ErrorKind::Unsupported, "it gives no embeddings"};
                for (size_t k = 0; k < size; k++) vector[k] += row[k];
            }
        }
        double square = 0;
        for (double v : vector) square += v * v;
        if (!std::isfinite(square) || square == 0) throw Failure{ErrorKind::Compute, "the vector has no direction"};
        double scale = 1 / std::sqrt(square);
        for (size_t at = 0; at < size; at += chunk) {
            Embedding part{ask.id, static_cast<uint32_t>(size), static_cast<uint32_t>(at), {}};
            for (size_t i = at; i < std::min(size, at + chunk); i++) part.values.push_back(static_cast<float>(vector[i] * scale));
            around_.send(part);
        }
    });
}
