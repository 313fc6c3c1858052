// Talks to the daemon of this node over its Unix socket. For programs that may wait: every call returns
// within its time limit, with a document or with what went wrong and what to do about it.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/documents/json.h"
#include "api/documents/model.h"
#include "base/time.h"

namespace komainu::api {

struct Trouble {
  enum class Kind {
    kNotReachable,  // no daemon answers
    kNotAllowed,    // the socket's mode forbids it
    kTimedOut,      // … and what was asked for may still happen
    kNoView,        // the node is in no established view
    kUnknownName,
    kRefused,
  } kind = Kind::kNotReachable;
  std::string what;
  std::string help;
  std::vector<ProblemView> problems;  // of a configuration
};

template <class T>
using Answer = std::expected<T, Trouble>;

// A name as a segment of an address.
std::string segment(std::string_view name);

class Client {
 public:
  static constexpr Duration kQuick = 10s;    // for what the daemon knows by itself
  static constexpr Duration kCluster = 40s;  // for what the cluster is asked; longer than the server waits
  static constexpr Duration kDevices = 80s;  // … and fencing devices

  explicit Client(std::string socket_path) : path_(std::move(socket_path)) {}

  template <class Document>
  Answer<Document> get(const std::string& target) const {
    return parsed<Document>(exchange("GET", target, {}, kQuick));
  }
  template <class Document>
  Answer<Document> post(const std::string& target, std::string body = {}, Duration limit = kCluster) const {
    return parsed<Document>(exchange("POST", target, std::move(body), limit));
  }

  // The body of a 2xx answer.
  Answer<std::string> exchange(std::string_view method, const std::string& target, std::string body,
                               Duration limit) const;

  const std::string& path() const { return path_; }

  // The trouble with an answer that is not what docs/api.md promises.
  static Trouble misunderstood(const Error& error);

 private:
  template <class Document>
  static Answer<Document> parsed(Answer<std::string> body) {
    if (!body) return std::unexpected(std::move(body.error()));
    auto document = from_json<Document>(*body);
    if (!document) return std::unexpected(misunderstood(document.error()));
    return std::move(*document);
  }

  std::string path_;
};

// Events as they come.
class EventStream {
 public:
  // Those after the event `since`, or from now on if that is unset; with `follow` also those that will come.
  static Answer<EventStream> open(const Client& client, std::optional<std::uint64_t> since, bool follow);

  EventStream(EventStream&&) noexcept;
  EventStream& operator=(EventStream&&) noexcept;
  ~EventStream();

  // Waits up to `limit` for the next event; none: the time is over, or the stream has ended.
  Answer<std::optional<EventView>> next(Duration limit);
  bool ended() const;
  // Of the newest event that was there when the stream was opened, or that came since.
  std::uint64_t number() const;

 private:
  struct Impl;
  explicit EventStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace komainu::api
