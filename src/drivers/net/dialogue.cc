#include "drivers/net/dialogue.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "drivers/agent_text.h"
#include "drivers/net/tcp.h"

namespace komainu::drivers {
namespace {

constexpr std::size_t kMaxText = 64 * 1024;

}  // namespace

Task<Verdict> Conversation::hold(Dialogue dialogue) {
  dialogue_ = std::move(dialogue);
  asked_ = nullptr;
  came_.clear();
  reply_.clear();
  auto talk = problem();
  std::string problem = co_await talk;
  if (problem.empty()) co_return Verdict{};
  co_return Verdict{Health::kFailed, std::move(problem)};
}

std::string Conversation::where() const {
  if (!asked_) return fmt::format("{} does not take a connection", server());
  const std::string text =
      fmt::format("{} takes connections, but does not answer {}", server(), asked_->what);
  return came_.empty() ? text : fmt::format("{} beyond \"{}\"", text, first_line(came_));
}

Task<std::string> Conversation::problem() {
  auto connect = connect_tcp(services_, dialogue_.host, dialogue_.port);
  const Result<Fd> connected = co_await connect;
  if (!connected) co_return connected.error().what;
  for (const Exchange& exchange : dialogue_.exchanges) {
    asked_ = &exchange;
    auto ask = problem_with(exchange, connected->get());
    std::string problem = co_await ask;
    if (!problem.empty()) co_return problem;
  }
  co_return std::string();
}

Task<std::string> Conversation::problem_with(const Exchange& exchange, int fd) {
  const auto broken = [&](const Error& error) {
    return fmt::format("{}: {}: {}", server(), exchange.what, error.what);
  };
  auto say = send_all(services_.readiness, fd, exchange.say);
  const Result<void> said = co_await say;
  if (!said) co_return broken(said.error());
  std::array<char, 4096> buffer;
  while (true) {
    const std::optional<std::string> answer = next_answer(exchange.expect);
    if (answer && answer->starts_with(exchange.expect)) co_return std::string();
    if (answer) co_return wrong(exchange, *answer);
    if (came_.size() >= kMaxText) co_return wrong(exchange, came_);
    auto receive = receive_some(services_.readiness, fd, buffer);
    const Result<std::size_t> size = co_await receive;
    if (!size) co_return broken(size.error());
    if (*size == 0 && !came_.empty()) co_return wrong(exchange, came_);
    if (*size == 0)
      co_return fmt::format("{} closes the connection instead of answering {}", server(), exchange.what);
    came_.append(buffer.data(), *size);
  }
}

// Nothing while it is not complete.
std::optional<std::string> Conversation::next_answer(std::string_view expect) {
  if (dialogue_.answer == Dialogue::Answer::kText) {
    const std::size_t at = came_.find(expect);
    if (at == std::string::npos) return std::nullopt;
    came_.erase(0, at + expect.size());
    return std::string(expect);
  }
  while (std::optional<std::string> line = next_line())
    if (counts(*line, expect)) return line;
  return std::nullopt;
}

std::optional<std::string> Conversation::next_line() {
  const std::size_t end = came_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = came_.substr(0, end);
  came_.erase(0, end + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

bool Conversation::counts(std::string_view line, std::string_view expect) {
  if (dialogue_.answer == Dialogue::Answer::kTagged)
    return !line.starts_with("* ") || expect.starts_with('*');
  if (dialogue_.answer != Dialogue::Answer::kReply) return true;
  if (!reply_.empty() && !line.starts_with(reply_)) return false;  // between its first line and its last
  const bool goes_on = line.size() > 3 && line[3] == '-';
  reply_ = goes_on ? line.substr(0, 3) : std::string_view();
  return !goes_on;
}

std::string Conversation::wrong(const Exchange& exchange, std::string_view answer) const {
  return fmt::format("{} answers {} with \"{}\", not with \"{}\"", server(), exchange.what,
                     first_line(answer), first_line(exchange.expect));
}

std::string Conversation::server() const {
  return fmt::format("{} port {}", dialogue_.host, dialogue_.port);
}

}  // namespace komainu::drivers
