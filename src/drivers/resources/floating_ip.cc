// An IP address that moves with its group.
//
// Before use it is probed for (RFC 5227, RFC 4862), since whoever still answers for it would share it with
// us. The probing is the slow part, so prepare() begins it while the lost place is being fenced, and start()
// goes on where that had come to: the socket has listened on, so claims since then wait in it.
//
// After the start the address is announced, so that neighbours replace what their caches say, and again a few
// times, since a single broadcast may be lost (a switch port that has just come up drops it).
//
// What it does not do: it does not defend the address against another that claims it while in use (RFC 5227
// section 2.4). A node that was stalled, and whose group runs elsewhere by now, would pull the clients back.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "drivers/net/links.h"
#include "drivers/net/packet_socket.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct FloatingIpParams {
  IpPrefix address;
  std::optional<std::string> interface;
  std::uint32_t probes = 3;
  Duration probe_interval = 10ms;
  Duration probe_wait = 40ms;
};

const params::Declaration<FloatingIpParams>& declaration() {
  static const auto declared =
      params::Declaration<FloatingIpParams>(
          "floating-ip", "An IP address that moves with its group; it refuses to come up while it is in use.")
          .required("address", &FloatingIpParams::address,
                    "The address with the length of its network's prefix.")
          .optional(
              "interface", &FloatingIpParams::interface,
              "The interface that carries it; left out, the one that has an address of the same network.")
          .optional(
              "probes", &FloatingIpParams::probes,
              "How often it is asked whether the address is in use before it comes up (RFC 5227); 0: not at "
              "all.",
              {.max = 10})
          .optional("probe_interval", &FloatingIpParams::probe_interval, "The time between two probes.",
                    {.min = 1ms, .max = 5s})
          .optional("probe_wait", &FloatingIpParams::probe_wait,
                    "The wait for an answer after the last probe.", {.min = 1ms, .max = 30s})
          .check([](const FloatingIpParams& p) -> std::optional<Error> {
            const auto& bytes = p.address.address.bytes;
            const bool v4 = p.address.address.family == IpAddress::Family::kV4;
            if (bytes[0] == (v4 ? 127 : 0) || (v4 ? bytes[0] >= 224 || bytes[0] == 0 : bytes[0] == 0xff))
              return Error{fmt::format("`address` {} is no address of a network", p.address.address.text()),
                           "name an address that clients can reach"};
            if (p.address.length == 0)
              return Error{"`address` has the prefix length 0", "name the length of its network's prefix"};
            return std::nullopt;
          });
  return declared;
}

Duration longest_check(const FloatingIpParams& params) {
  if (params.probes == 0) return Duration{0};
  return params.probe_interval * (params.probes - 1) + params.probe_wait;
}

// Silence after the probes stays good for so long while the socket keeps listening.
constexpr Duration kCheckHolds{10s};
constexpr Duration kCheckAgain{5s};     // … and is renewed in time
constexpr Duration kRetryCheck{200ms};  // after an answer: its sender may be the one that is being fenced
constexpr Duration kPrepareFor{60s};    // by then the group has come here, or is somewhere else
// After the one at the start.
constexpr std::array<Duration, 3> kAnnounceAgain{Duration{100ms}, Duration{500ms}, Duration{2s}};
// A claim that is not repeated for so long is over.
constexpr Duration kClaimIsOver{30s};
constexpr Duration kClaimPause{1s};
// For a probe to learn what became of a change that somebody gave up.
constexpr Duration kSettlePatience{5s};

class FloatingIp final : public Resource {
 public:
  FloatingIp(FloatingIpParams params, const Services& services, const Identity& identity)
      : params_(std::move(params)), services_(services), identity_(identity) {}

  Task<void> prepare() override {
    const LocalTime begin = services_.clock.now();
    while (services_.clock.now() - begin < kPrepareFor) {
      check_.reset();
      Result<void> unused = failure({});
      if (const auto link = usable_link()) {
        auto check = check_unused(*link);
        unused = co_await check;
      }
      auto pause = services_.clock.sleep(unused ? kCheckAgain : kRetryCheck);
      co_await pause;
    }
  }

  Task<Result<void>> start() override {
    auto settling = tables_settle();
    co_await settling;
    const auto link = usable_link();
    if (!link) co_return std::unexpected(link.error());
    if (!present_on(link->index)) {
      auto check = check_unused(*link);
      const Result<void> unused = co_await check;
      if (!unused) co_return unused;
      auto add = services_.netlink.add_address(link->index, params_.address);
      const Result<void> added = co_await add;
      if (!added) co_return added;
    }
    check_.reset();
    co_return announce(*link);
  }

  Task<Result<void>> stop() override {
    check_.reset();
    // An address that a cancelled start has asked for may come up after we looked.
    auto settling = tables_settle();
    co_await settling;
    for (const LinkAddress& found : present()) {
      auto remove = services_.netlink.remove_address(found.link, found.prefix);
      const Result<void> removed = co_await remove;
      if (!removed) co_return removed;
    }
    if (!present().empty())
      co_return failure(fmt::format("{} was removed and is there again", params_.address.text()),
                        "find out what else sets this address: it must be komainu's alone");
    co_return Result<void>{};
  }

  Task<Result<Probe>> probe() override {
    auto settling = within(services_.clock, kSettlePatience, tables_settle());
    const auto settled = co_await settling;
    if (!settled)
      co_return failure(fmt::format("the kernel has not answered a change of {}", address().text()),
                        "the network driver of one of the interfaces may hang: `journalctl -k` says more");
    const std::vector<LinkAddress> found = present();
    if (found.empty()) co_return Probe{Presence::kStopped, {}};
    if (const auto problem = problem_of(found.front())) co_return Probe{Presence::kBroken, *problem};
    co_return Probe{Presence::kRunning, {}};
  }

  Task<std::string> watch(Reports& reports) override {
    auto lost = watch_for_loss();
    auto claims = watch_for_claims(reports);
    auto announcing = announce_again();
    auto all_three = race(std::move(lost), std::move(claims), std::move(announcing));
    auto first = co_await all_three;
    co_return std::get<0>(std::move(first));
  }

 private:
  const IpAddress& address() const { return params_.address.address; }

  Task<void> tables_settle() {
    while (!services_.netlink.settled(address())) {
      auto change = services_.netlink.changed();
      co_await change;
    }
  }

  // Where the address is, on the links that are ours to look at.
  std::vector<LinkAddress> present() const {
    std::vector<LinkAddress> found;
    for (const LinkAddress& entry : services_.netlink.addresses()) {
      const Link* link = find_link(services_.netlink, entry.link);
      if (entry.prefix.address == address() && link &&
          (!params_.interface || link->name == *params_.interface))
        found.push_back(entry);
    }
    return found;
  }
  bool present_on(int link) const {
    return std::ranges::any_of(present(), [&](const LinkAddress& entry) { return entry.link == link; });
  }

  std::optional<std::string> problem_of(const LinkAddress& entry) const {
    const Link* link = find_link(services_.netlink, entry.link);
    if (!link) return fmt::format("the interface of {} is gone", address().text());
    if (auto problem = link_problem(*link)) return fmt::format("{} ({})", *problem, address().text());
    if (entry.duplicate)
      return fmt::format("{} is in use by another (found by the kernel)", address().text());
    return std::nullopt;
  }

  Result<Link> usable_link() const {
    Result<Link> link = configured_link();
    if (!link) return link;
    if (const auto problem = link_problem(*link))
      return failure(fmt::format("{} cannot come up: {}", address().text(), *problem),
                     fmt::format("check the cable and the switch port of {}", link->name));
    return link;
  }
  Result<Link> configured_link() const {
    if (!params_.interface) return link_for(services_.netlink, params_.address);
    if (const Link* link = find_link(services_.netlink, *params_.interface)) return *link;
    return failure(
        fmt::format("{} cannot come up: there is no interface {}", address().text(), *params_.interface),
        "`ip link` lists the interfaces of this server");
  }

  // ---- is it in use?

  struct Check {
    std::uint32_t sent = 0;  // probes, since the socket was emptied
    LocalTime last_sent{};
  };

  // The socket lives as long as the resource: closing one stops the loop for a moment (packet_socket.h).
  Result<void> listen_on(const Link& link) {
    if (socket_ && socket_->link() == link.index) return {};
    auto opened = PacketSocket::open(link.index, address());
    if (!opened) return std::unexpected(opened.error());
    socket_ = std::move(*opened);
    return {};
  }

  Result<void> in_use_by(const MacAddress& mac, const Link& link) const {
    return failure(fmt::format("{} is in use by {} (seen on {})", address().text(), mac.text(), link.name),
                   "find that machine and take the address from it, or give this group another address");
  }

  // Goes on with the check that is under way, or done, for this link, if it is not out of date.
  Task<Result<void>> check_unused(Link link) {
    if (params_.probes == 0 || link.loopback) co_return Result<void>{};
    if (!silent_so_far(link)) {
      if (const Result<void> listening = listen_on(link); !listening) co_return listening;
      socket_->discard();  // answers to earlier probes may be out of date
      check_ = Check{};
    }
    const Frame probe = probe_frame(address(), link.mac);
    while (true) {
      if (const Result<void> silent = no_claim(link); !silent) {
        check_.reset();
        co_return silent;
      }
      const Duration left = next_step_of(*check_) - services_.clock.now();
      if (left > Duration{0}) {
        auto claim = within(services_.clock, left, services_.readiness.readable(socket_->fd()));
        co_await claim;
      } else if (check_->sent == params_.probes) {
        co_return Result<void>{};
      } else {
        if (const Result<void> sent = socket_->send(probe); !sent) co_return sent;
        check_ = Check{check_->sent + 1, services_.clock.now()};
      }
    }
  }

  bool silent_so_far(const Link& link) {
    return check_ && socket_ && socket_->link() == link.index &&
           services_.clock.now() - check_->last_sent < kCheckHolds && no_claim(link);
  }

  // When the next probe is due, or, after the last one, the silence has been long enough.
  LocalTime next_step_of(const Check& check) const {
    if (check.sent == 0) return {};
    return check.last_sent + (check.sent < params_.probes ? params_.probe_interval : params_.probe_wait);
  }

  Result<void> no_claim(const Link& link) const {
    const auto claim = socket_->next_claim(link.mac);
    if (!claim) return std::unexpected(claim.error());
    if (*claim) return in_use_by(**claim, link);
    return {};
  }

  Task<Result<MacAddress>> next_claim(Link link) {
    while (true) {
      const auto claim = socket_->next_claim(link.mac);
      if (!claim) co_return std::unexpected(claim.error());
      if (*claim) co_return **claim;
      auto readable = services_.readiness.readable(socket_->fd());
      co_await readable;
    }
  }

  // ---- in use

  Result<void> announce(const Link& link) {
    if (link.loopback) return {};
    if (const Result<void> listening = listen_on(link); !listening) return listening;
    for (const Frame& frame : announcement_frames(address(), link.mac))
      if (const Result<void> sent = socket_->send(frame); !sent) return sent;
    return {};
  }

  const Link* link_in_use() const {
    const std::vector<LinkAddress> found = present();
    return found.empty() ? nullptr : find_link(services_.netlink, found.front().link);
  }

  Task<void> announce_again() {
    for (const Duration pause : kAnnounceAgain) {
      auto wait = services_.clock.sleep(pause);
      co_await wait;
      const Link* link = link_in_use();
      if (!link) continue;
      if (const Result<void> sent = announce(*link); !sent)
        services_.log.warning(
            fmt::format("{}: {} was not announced: {}", identity_.name, address().text(), sent.error().what));
    }
    auto stay = forever();
    co_await stay;
  }

  Task<std::string> watch_for_loss() {
    while (true) {
      const std::vector<LinkAddress> found = present();
      if (found.empty()) co_return fmt::format("{} was removed from its interface", params_.address.text());
      if (const auto problem = problem_of(found.front())) co_return *problem;
      auto change = services_.netlink.changed();
      co_await change;
    }
  }

  Task<void> watch_for_claims(Reports& reports) {
    const Link* present_link = link_in_use();
    if (!present_link || present_link->loopback || !listen_on(*present_link)) {  // watch_for_loss tells
      auto stay = forever();
      co_await stay;
    }
    const Link link = *present_link;
    socket_->discard();
    Health health = Health::kHealthy;
    while (true) {
      auto claim = within(services_.clock, kClaimIsOver, next_claim(link));
      const std::optional<Result<MacAddress>> next = co_await claim;
      const Health now = next && *next ? Health::kWarning : Health::kHealthy;
      if (now != health)
        reports.report({now, now == Health::kHealthy
                                 ? ""
                                 : fmt::format("{} is claimed by {}, too (seen on {})", address().text(),
                                               (*next)->text(), link.name)});
      health = now;
      auto pause = services_.clock.sleep(kClaimPause);  // a flood of claims must not keep the loop busy
      co_await pause;
    }
  }

  FloatingIpParams params_;
  Services services_;
  Identity identity_;
  std::optional<PacketSocket> socket_;
  std::optional<Check> check_;
};

Result<std::unique_ptr<Resource>> make(const Params& values, const Services& services,
                                       const Identity& identity) {
  Result<FloatingIpParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return std::make_unique<FloatingIp>(std::move(*params), services, identity);
}

}  // namespace

const ResourceType& floating_ip() {
  static const ResourceType type{
      declaration().schema(), params::Data::kNone, &make,
      [](const Params& values) { return longest_check(declaration().read_partial(values)); }};
  return type;
}

}  // namespace komainu::drivers
