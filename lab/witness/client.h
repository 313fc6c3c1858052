// The client of the service: a new HTTP request every interval, each over a connection of its own, each with
// its own timeout, many under way at once. A good reply is status 200 with the name of a known server as its
// body.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "availability.h"
#include "observer.h"
#include "time.h"

namespace komainu::witness {

class Client {
 public:
  struct Target {
    std::string netns;  // where the client lives
    Address address;
    std::uint16_t port = 80;
    Duration timeout{50'000};
  };

  // Outcomes go to `history` in the order in which the requests were sent. `epoll` is where its sockets are
  // watched.
  Client(Target target, std::vector<std::string> servers, int epoll, History& history);

  void send_request(Time at);
  void ready(std::size_t slot, Time at);  // the socket of `slot` has an event
  void expire(Time at);                   // ends the requests whose time is over

 private:
  struct Request {
    int fd = -1;
    bool sent_text = false;
    bool finished = false;
    Outcome outcome;
    std::string reply;
  };

  void finish(Request& request, Time at, Failure failure);
  void finish_with_reply(Request& request, Time at);
  void publish();
  Request& at_slot(std::size_t slot) { return under_way_[slot - first_]; }

  static constexpr std::size_t kMostUnderWay = 128;
  Target target_;
  std::vector<std::string> servers_;
  int epoll_;
  History& history_;
  sockaddr_storage socket_address_{};
  socklen_t socket_address_size_ = 0;
  std::string text_;
  // The requests under way, oldest first; slot numbers rise for ever, `first_` is the number of the front.
  std::deque<Request> under_way_;
  std::size_t first_ = 0;
};

}  // namespace komainu::witness
