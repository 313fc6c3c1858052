#include "client.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "namespaces.h"

namespace komainu::witness {
namespace {

Failure failure_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return Failure::kRefused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
      return Failure::kUnreachable;
    case ETIMEDOUT:
      return Failure::kTimeout;
    default:
      return Failure::kReset;
  }
}

}  // namespace

Client::Client(Target target, std::vector<std::string> servers, int epoll, History& history)
    : target_(std::move(target)),
      servers_(std::move(servers)),
      epoll_(epoll),
      history_(history),
      text_("GET / HTTP/1.0\r\nHost: service\r\nConnection: close\r\n\r\n") {
  if (target_.address.family == AF_INET) {
    auto& address = reinterpret_cast<sockaddr_in&>(socket_address_);
    address.sin_family = AF_INET;
    address.sin_port = htons(target_.port);
    std::memcpy(&address.sin_addr, target_.address.bytes.data(), 4);
    socket_address_size_ = sizeof address;
  } else {
    auto& address = reinterpret_cast<sockaddr_in6&>(socket_address_);
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(target_.port);
    std::memcpy(&address.sin6_addr, target_.address.bytes.data(), 16);
    socket_address_size_ = sizeof address;
  }
}

void Client::send_request(Time at) {
  // The timeout bounds what is under way; this bound holds when the witness itself was held up.
  if (under_way_.size() >= kMostUnderWay) return;
  under_way_.emplace_back();
  Request& request = under_way_.back();
  request.outcome.sent = at;
  request.fd = socket(target_.address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (request.fd < 0) give_up("client socket");
  // A request that is given up is reset, not left to linger.
  const linger reset{1, 0};
  setsockopt(request.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  const int result = connect(request.fd, reinterpret_cast<sockaddr*>(&socket_address_), socket_address_size_);
  if (result != 0 && errno != EINPROGRESS) {
    finish(request, at, failure_of(errno));
    publish();
    return;
  }
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u64 = first_ + under_way_.size() - 1;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, request.fd, &event) != 0) give_up("epoll");
}

void Client::ready(std::size_t slot, Time at) {
  if (slot < first_ || slot - first_ >= under_way_.size()) return;
  Request& request = at_slot(slot);
  if (request.finished) return;
  if (!request.sent_text) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(request.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0 &&
        send(request.fd, text_.data(), text_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text_.size()))
      error = errno;
    if (error != 0) {
      finish(request, at, failure_of(error));
      publish();
      return;
    }
    request.sent_text = true;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = slot;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, request.fd, &event) != 0) give_up("epoll");
    return;
  }
  constexpr std::size_t kLargestReply = 4096;
  char buffer[1024];
  for (;;) {
    const ssize_t length = recv(request.fd, buffer, sizeof buffer, 0);
    if (length > 0 && request.reply.size() < kLargestReply) {
      request.reply.append(buffer, static_cast<std::size_t>(length));
      continue;
    }
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length < 0)
      finish(request, at, failure_of(errno));
    else
      finish_with_reply(request, at);
    publish();
    return;
  }
}

void Client::finish_with_reply(Request& request, Time at) {
  const std::string& reply = request.reply;
  if (!reply.starts_with("HTTP/1.")) return finish(request, at, Failure::kGarbage);
  if (reply.compare(8, 5, " 200 ") != 0) return finish(request, at, Failure::kStatus);
  const auto body = reply.find("\r\n\r\n");
  if (body == std::string::npos) return finish(request, at, Failure::kGarbage);
  std::string name = reply.substr(body + 4);
  while (name.ends_with('\n') || name.ends_with('\r')) name.pop_back();
  const auto server = std::ranges::find(servers_, name);
  if (server == servers_.end()) return finish(request, at, Failure::kGarbage);
  if (at - request.outcome.sent > target_.timeout) return finish(request, at, Failure::kTimeout);
  request.outcome.server = static_cast<std::size_t>(server - servers_.begin());
  finish(request, at, Failure::kTimeout);
}

void Client::finish(Request& request, Time at, Failure failure) {
  request.finished = true;
  request.outcome.ended = at;
  request.outcome.failure = failure;
  close(request.fd);
}

void Client::publish() {
  while (!under_way_.empty() && under_way_.front().finished) {
    history_.record(under_way_.front().outcome);
    under_way_.pop_front();
    ++first_;
  }
}

void Client::expire(Time at) {
  for (Request& request : under_way_) {
    if (at - request.outcome.sent <= target_.timeout) break;
    if (!request.finished) finish(request, at, Failure::kTimeout);
  }
  publish();
}

}  // namespace komainu::witness
