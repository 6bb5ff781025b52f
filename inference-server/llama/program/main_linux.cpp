// The other side of the benchmark: the same engine on plain Linux, where llama.cpp gets the system calls that it knows.
//
//     llama [model=/model.gguf] [threads=N] [ctx=N] [batch=N] [system=TEXT] [user=TEXT] [prompt=TOKENS] [n=TOKENS]
//           [repeat=N] [user-file=PATH] [repack=auto|never|always]
//
// Can be a guest's /init: as process 1 it switches the machine off when it is done. What is measured comes on lines
// that begin with "ALPHA ".
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "engine.hpp"

using namespace proto;

namespace {

double since_boot() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

class Program final : public Surroundings {
  public:
    bool failed = false;

    void send(const Reply &reply) override {
        if (auto *loaded = std::get_if<Loaded>(&reply)) {
            std::printf("ALPHA loaded at=%.3f us=%llu repacked=%d kv=%llu compute=%llu weights=%llu\n", since_boot(), ull(loaded->load_us), loaded->repacked,
                        ull(loaded->kv_bytes), ull(loaded->compute_bytes), ull(loaded->weight_bytes));
        } else if (auto *text = std::get_if<Text>(&reply)) {
            if (!spoken_) std::printf("ALPHA first at=%.3f\n", since_boot());
            spoken_ = true;
            std::fputs(text->text.c_str(), stdout);
            std::fflush(stdout);
        } else if (auto *done = std::get_if<Done>(&reply)) {
            std::printf("\nALPHA done at=%.3f prompt=%u reused=%u prompt_us=%llu generated=%u generate_us=%llu first_us=%llu\n", since_boot(), done->prompt_tokens,
                        done->reused_tokens, ull(done->prompt_us), done->generated_tokens, ull(done->generate_us), ull(done->first_token_us));
            spoken_ = false;
        } else if (auto *no = std::get_if<LoadFailed>(&reply)) {
            std::printf("ALPHA failed reason=%u %s\n", static_cast<unsigned>(no->reason), no->detail.c_str());
            failed = true;
        } else if (auto *error = std::get_if<Error>(&reply)) {
            std::printf("ALPHA error kind=%u %s\n", static_cast<unsigned>(error->error), error->detail.c_str());
            failed = true;
        } else if (auto *log = std::get_if<Log>(&reply)) {
            std::fprintf(stderr, "%s\n", log->text.c_str());
        }
        std::fflush(stdout);
    }

    bool stopped(uint32_t) override { return false; }

    MemoryUse memory() override {
        struct sysinfo info{};
        sysinfo(&info);
        return {0, 0, static_cast<uint64_t>(info.totalram) * info.mem_unit};
    }

  private:
    bool spoken_ = false;
    static unsigned long long ull(uint64_t v) { return v; }
};

std::string read_file(const char *path) {
    std::string all;
    if (FILE *file = std::fopen(path, "r")) {
        char part[4096];
        for (size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) all.append(part, n);
        std::fclose(file);
    }
    return all;
}

void memory_lines() {
    std::string status = read_file("/proc/self/status"), info = read_file("/proc/meminfo");
    auto line = [](const std::string &text, const char *name) {
        size_t at = text.find(name);
        return at == text.npos ? std::string("?") : text.substr(at, text.find('\n', at) - at);
    };
    for (const char *name : {"VmHWM", "RssAnon", "RssFile"}) std::printf("ALPHA memory %s\n", line(status, name).c_str());
    for (const char *name : {"MemTotal", "MemFree", "MemAvailable", "Cached", "Slab"}) std::printf("ALPHA memory %s\n", line(info, name).c_str());
}

} // namespace

int main(int argc, char **argv) {
    bool first = getpid() == 1;
    if (first) {
        mkdir("/proc", 0555);
        mount("proc", "/proc", "proc", 0, nullptr);
    }
    std::printf("ALPHA start at=%.3f\n", since_boot());
    auto value = [&](const char *key, const char *otherwise) -> const char * {
        size_t n = std::strlen(key);
        for (int i = 1; i < argc; i++)
            if (std::strncmp(argv[i], key, n) == 0 && argv[i][n] == '=') return argv[i] + n + 1;
        return otherwise;
    };
    auto number = [&](const char *key, uint32_t otherwise) {
        const char *v = value(key, nullptr);
        return v ? static_cast<uint32_t>(std::strtoul(v, nullptr, 10)) : otherwise;
    };

    const char *path = value("model", "/model.gguf");
    struct stat file{};
    stat(path, &file);
    uint32_t threads = number("threads", std::thread::hardware_concurrency());
    {
        Program program;
        Engine engine(program, {path, path, static_cast<uint64_t>(file.st_size)}, {}, threads);
        Load load;
        load.n_ctx = number("ctx", 0);
        load.n_batch = number("batch", 0);
        const char *repack = value("repack", "auto");
        load.repack = !std::strcmp(repack, "never") ? Repack::Never : !std::strcmp(repack, "always") ? Repack::Always : Repack::Auto;
        engine.load(load);

        Generate ask;
        ask.id = 1;
        ask.max_tokens = number("n", 64);
        ask.sampling.repeat_penalty = 1;
        if (uint32_t tokens = number("prompt", 0)) {
            std::vector<uint32_t> list;
            for (uint32_t i = 0; i < tokens; i++) list.push_back(300 + i * 7 % 200);
            ask.prompt = list;
        } else {
            std::vector<Message> messages;
            if (const char *system = value("system", nullptr)) messages.push_back({Role::System, system});
            const char *from = value("user-file", nullptr);
            messages.push_back({Role::User, from ? read_file(from) : value("user", "Hello.")});
            ask.prompt = messages;
        }
        for (uint32_t i = 0; !program.failed && i < number("repeat", 1); i++) {
            engine.forget();
            engine.generate(ask);
        }
        memory_lines();
        std::printf("ALPHA end at=%.3f\n", since_boot());
        std::fflush(stdout);
        if (!first) return program.failed;
    }
    sync();
    reboot(RB_POWER_OFF);
    for (;;) pause();
}
