// The model and what can be done with it. Knows llama.cpp and the protocol's messages, nothing of where they come from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "llama.h"
#include "proto.hpp"

struct MemoryUse { uint64_t used, peak, total; };

// What the engine wants from the program around it.
class Surroundings {
  public:
    virtual ~Surroundings() = default;
    virtual void send(const proto::Reply &reply) = 0;
    // Whether the work with this id is to end now. Asked between the steps of a computation, so it must be quick.
    virtual bool stopped(uint32_t id) = 0;
    virtual MemoryUse memory() = 0;
};

/* A file that a model can be loaded from. */
struct ModelFile {
    std::string path, name;
    uint64_t bytes;
};

class Engine {
  public:
    Engine(Surroundings &around, ModelFile model, ModelFile spare, uint32_t threads);
    ~Engine();
    Engine(const Engine &) = delete;

    // Each answers as the protocol says; none throws.
    void load(const proto::Load &);
    void unload();
    void tokenize(const proto::Tokenize &);
    void apply_template(const proto::ApplyTemplate &);
    void generate(const proto::Generate &);
    void embed(const proto::Embed &);
    void metadata(uint32_t id);
    void forget();

    // A line of llama.cpp's own log, without its line end.
    void log_line(ggml_log_level level, std::string_view line);

  private:
    using Tokens = std::vector<llama_token>;
    struct Failure { proto::ErrorKind kind; std::string detail; };

    Surroundings &around_;
    ModelFile model_file_, spare_file_;
    const ModelFile *file_ = &model_file_; // the one that was asked for last
    uint32_t threads_;
    ggml_threadpool *pool_ = nullptr;

    llama_model *model_ = nullptr;
    const llama_vocab *vocab_ = nullptr;
    llama_context *context_ = nullptr;   // for generating
    llama_context *embedder_ = nullptr;  // made when first needed
    uint32_t batch_ = 0, threads_now_ = 0;
    bool can_generate_ = false;
    proto::Template template_kind_ = proto::Template::Missing;
    std::string template_;               // what llama.cpp applies; empty: the plain form
    Tokens cached_;                      // what the context's memory holds

    uint32_t working_on_ = 0;            // id for the abort callback
    bool aborted_ = false;               // it said that this work is to end
    std::string last_error_;
    int log_budget_ = 0;

    static bool abort_now(void *self);

    void close();
    bool check_header(std::string &detail, proto::LoadError &reason) const;
    bool open(const proto::Load &, bool repack, uint64_t started, std::string &detail, proto::LoadError &reason);
    void choose_template(const std::string &given);
    std::string template_name() const;
    std::string meta(const std::string &key) const;

    void guarded(uint32_t id, const std::function<void()> &work);
    void need_model() const;
    Tokens split(const std::string &text, bool add_special, bool parse_special) const;
    std::string defang(const std::string &content) const;
    std::string render(const std::vector<proto::Message> &, bool add_assistant) const;
    std::string piece(llama_token) const;
    void send_text(uint32_t id, const std::string &text, uint32_t tokens);
};
