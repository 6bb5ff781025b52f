// The messages of proto/src/lib.rs, which explains them; the order of variants and fields here is the same.
#pragma once

#include "postcard.hpp"
#include "proto_version.h"

namespace proto {

constexpr uint32_t version = ALPHA_PROTO_VERSION;
constexpr size_t queue = 16, text_bytes = 4096, chunk = 1024;

using std::string;
using std::vector;

#define FIELDS(...)                                                                                                    \
    template <class A> void fields([[maybe_unused]] A &a) { each(a __VA_OPT__(, ) __VA_ARGS__); }

template <class A, class... T> void each(A &a, T &...field) { (a(field), ...); }

enum class Repack : uint32_t { Auto, Never, Always, Count };
enum class Role : uint32_t { System, User, Assistant, Count };
enum class Template : uint32_t { Model, Given, Missing, Unknown, Count };
enum class LoadError : uint32_t { Cpu, NoModel, NotGguf, Version, Truncated, UnknownArchitecture, OutOfMemory, Malformed, Context, Count };
enum class Reason : uint32_t { EndOfText, MaxTokens, Stopped, StopText, ContextFull, Count };
enum class ErrorKind : uint32_t { Malformed, NoModel, TooLong, Unsupported, BadArgument, OutOfMemory, Busy, Stopped, Compute, Count };
enum class Level : uint32_t { Debug, Info, Warn, Error, Fatal, Count };

struct Message { Role role{}; string content; FIELDS(role, content) };
struct Sampling {
    float temperature{};
    uint32_t top_k{};
    float top_p{}, min_p{}, repeat_penalty{};
    uint32_t repeat_last{}, seed{};
    FIELDS(temperature, top_k, top_p, min_p, repeat_penalty, repeat_last, seed)
};

struct Load {
    uint32_t n_ctx{}, n_batch{}, threads{};
    Repack repack{};
    string template_;
    bool spare{};
    FIELDS(n_ctx, n_batch, threads, repack, template_, spare)
};
struct Unload { FIELDS() };
struct Tokenize { uint32_t id{}; string text; bool add_special{}, parse_special{}; FIELDS(id, text, add_special, parse_special) };
struct ApplyTemplate { uint32_t id{}; vector<Message> messages; bool add_assistant{}; FIELDS(id, messages, add_assistant) };
using Prompt = std::variant<vector<Message>, string, vector<uint32_t>>;
struct Generate {
    uint32_t id{};
    Prompt prompt;
    uint32_t max_tokens{};
    Sampling sampling;
    vector<string> stop;
    FIELDS(id, prompt, max_tokens, sampling, stop)
};
struct Stop { uint32_t id{}; FIELDS(id) };
struct Embed { uint32_t id{}; string text; FIELDS(id, text) };
struct AskMetadata { uint32_t id{}; FIELDS(id) };
struct Forget { FIELDS() };

using Command = std::variant<Load, Unload, Tokenize, ApplyTemplate, Generate, Stop, Embed, AskMetadata, Forget>;

struct Hello { uint32_t version{}, threads{}; uint64_t arena_bytes{}, model_bytes{}; FIELDS(version, threads, arena_bytes, model_bytes) };
struct LoadProgress { uint16_t permille{}; FIELDS(permille) };
struct Loaded {
    string name, architecture, file_type;
    uint64_t parameters{}, weight_bytes{};
    uint32_t n_ctx_train{}, n_ctx{}, n_vocab{}, n_embd{}, threads{};
    Template template_{};
    string template_name;
    bool can_generate{}, repacked{};
    uint64_t arena_used{}, arena_peak{}, arena_bytes{}, kv_bytes{}, compute_bytes{}, load_us{};
    FIELDS(name, architecture, file_type, parameters, weight_bytes, n_ctx_train, n_ctx, n_vocab, n_embd, threads, template_,
           template_name, can_generate, repacked, arena_used, arena_peak, arena_bytes, kv_bytes, compute_bytes, load_us)
};
struct LoadFailed { LoadError reason{}; string detail; FIELDS(reason, detail) };
struct Unloaded { FIELDS() };
struct Tokens { uint32_t id{}, total{}, start{}; vector<uint32_t> tokens; FIELDS(id, total, start, tokens) };
struct Templated { uint32_t id{}; Template template_{}; uint32_t tokens{}, total{}, start{}; string text; FIELDS(id, template_, tokens, total, start, text) };
struct PromptProgress { uint32_t id{}, done{}, total{}, reused{}; FIELDS(id, done, total, reused) };
struct Text { uint32_t id{}; string text; uint32_t tokens{}; FIELDS(id, text, tokens) };
struct Done {
    uint32_t id{};
    Reason reason{};
    uint32_t prompt_tokens{}, reused_tokens{}, generated_tokens{};
    uint64_t prompt_us{}, first_token_us{}, generate_us{};
    FIELDS(id, reason, prompt_tokens, reused_tokens, generated_tokens, prompt_us, first_token_us, generate_us)
};
struct Embedding { uint32_t id{}, total{}, start{}; vector<float> values; FIELDS(id, total, start, values) };
struct Entry { string key, value; FIELDS(key, value) };
struct Metadata { uint32_t id{}, total{}, start{}; vector<Entry> entries; FIELDS(id, total, start, entries) };
struct Error { uint32_t id{}; ErrorKind error{}; string detail; FIELDS(id, error, detail) };
struct Log { Level level{}; string text; FIELDS(level, text) };

using Reply = std::variant<Hello, LoadProgress, Loaded, LoadFailed, Unloaded, Tokens, Templated, PromptProgress, Text,
                           Done, Embedding, Metadata, Error, Log>;

#undef FIELDS

} // namespace proto
