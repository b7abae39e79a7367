#include "record_options.hpp"

#include "sizes.hpp"

namespace heapwright::cli {

void add_recording_options(CLI::App& verb, RecordingOptions& options) {
    verb.add_option("--stack", options.stack, "Call stacks: full (unwind tables), frames (frame pointers only) or none")
        ->check(CLI::IsMember({"none", "frames", "full"}))
        ->capture_default_str();
    verb.add_option("--depth", options.depth, "Frames kept of a stack, innermost first")->check(CLI::Range(1, 512))->capture_default_str();
    add_bytes_option(verb, "--sample", options.sample_bytes,
                     "Record about one allocation in so many bytes (unbiased; the analysis scales back); 0: all");
    add_bytes_option(verb, "--max-size", options.max_bytes, "Stop recording, not the program, when the trace is so large; 0: never");
    verb.add_flag("--mappings", options.mappings, "Also record the program's own anonymous mmap and munmap");
    verb.add_flag("!--no-children", options.children, "Do not follow child processes");
}

}  // namespace heapwright::cli
