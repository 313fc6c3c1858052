#include "komainu/tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace komainu::cli {
namespace {

constexpr std::size_t kMostSaid = 2000;

// Both ends are closed on exec; the child's standard output and error are copies of the second.
struct Pipe {
  std::array<int, 2> ends{-1, -1};
  ~Pipe() {
    for (int end : ends)
      if (end >= 0) close(end);
  }
};

std::string read_to_end(int fd, std::size_t most) {
  std::string said;
  std::array<char, 4096> buffer;
  for (ssize_t count; (count = read(fd, buffer.data(), buffer.size())) != 0;) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    said.append(buffer.data(), static_cast<std::size_t>(count));
    if (said.size() > 2 * most) said.erase(0, said.size() - most);
  }
  if (said.size() > most) said.erase(0, said.size() - most);
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.pop_back();
  return said;
}

enum class Complaints : std::uint8_t { kKept, kDropped };

Result<std::string> run(std::vector<std::string> words, std::size_t most, Complaints complaints,
                        const std::string& help) {
  Pipe pipe;
  if (pipe2(pipe.ends.data(), O_CLOEXEC) != 0)
    return failure(fmt::format("cannot run {}: {}", words[0], std::strerror(errno)));
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, pipe.ends[1], STDOUT_FILENO);
  if (complaints == Complaints::kKept)
    posix_spawn_file_actions_adddup2(&files, pipe.ends[1], STDERR_FILENO);
  else
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return failure(fmt::format("cannot run {}: {}", words[0], std::strerror(error)), help);
  close(std::exchange(pipe.ends[1], -1));
  std::string said = read_to_end(pipe.ends[0], most);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return said;
  const std::string how = WIFEXITED(status) ? fmt::format("ended with {}", WEXITSTATUS(status))
                                            : fmt::format("was killed by signal {}", WTERMSIG(status));
  return failure(fmt::format("{} {}: {}", words[0], how, said.empty() ? "it said nothing" : said));
}

}  // namespace

Result<void> run_tool(std::vector<std::string> words, const std::string& help) {
  const auto said = run(std::move(words), kMostSaid, Complaints::kKept, help);
  if (!said) return std::unexpected(said.error());
  return {};
}

Result<std::string> output_of_tool(std::vector<std::string> words, std::size_t most) {
  return run(std::move(words), most, Complaints::kDropped, {});
}

}  // namespace komainu::cli
