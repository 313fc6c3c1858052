// Looks into one server from outside: does it have power, which of the watched addresses does it hold, which
// of the watched services has a process. A server without power has nothing, though its network namespace
// still shows the addresses that were on it: nobody answers for them, its cables are cut.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace komainu::witness {

struct Address {
  std::uint8_t family = 0;  // AF_INET or AF_INET6
  std::array<std::uint8_t, 16> bytes{};

  bool operator==(const Address&) const = default;
};
// Aborts the program with a message when `text` is no address.
Address parse_address(const std::string& text);

struct ServerArgument {
  std::string name;
  std::string netns;   // path of its network namespace
  std::string cgroup;  // path of its subtree of cgroup v2
};

class Observer {
 public:
  // Enters the server's network namespace for a moment, to open a netlink socket there.
  explicit Observer(const ServerArgument& server);
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  Observer(Observer&& other) noexcept;
  ~Observer();

  bool powered() const;
  // One dump of the server's addresses; valid until the next call. Addresses still under duplicate detection
  // do not answer, so they do not count.
  const std::vector<Address>& addresses();
  // Whether any process lives in the cgroup of a unit of the system slice.
  bool runs(const std::string& unit) const;

 private:
  std::string cgroup_;
  int netlink_ = -1;
  std::vector<Address> found_;
};

}  // namespace komainu::witness
