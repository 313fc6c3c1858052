// A stranger in the process group of a cluster: joins it and says what no daemon says. Beside its node's
// daemon it is not listened to; in its place it is a member, and everything it says is taken apart by the
// others. Nobody may believe, crash on or be delayed by any of it.
#include <corosync/cpg.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "channel/channel.h"
#include "channel/fragment.h"
#include "wire/wire.h"

namespace {

using namespace komainu;

constexpr int kRounds = 100;
// Corosync takes up to 1 MiB at once (cpg_mcast_joined(3)).
constexpr std::size_t kOversized = 1000 * 1000;

core::RingId ring;
bool joined = false;

struct Speech {
  std::vector<std::string> parts;
  int cut_wrong = 0;   // so many of them are no fragments of a message
  int unreadable = 0;  // … and so many are a whole one that nobody can read
};

bool say(cpg_handle_t handle, std::string bytes) {
  iovec part{bytes.data(), bytes.size()};
  for (int tries = 0; tries < 1000; ++tries) {
    cpg_dispatch(handle, CS_DISPATCH_ALL);
    const cs_error_t error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
    if (error == CS_OK) return true;
    if (error != CS_ERR_TRY_AGAIN) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

std::string noise(std::mt19937& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string framed(std::uint64_t number, const std::string& bytes) {
  return channel::encode_header({number, static_cast<std::uint32_t>(bytes.size()), 0, {}}) + bytes;
}

// No fragments at all.
Speech babble(std::mt19937& random, int round) {
  Speech speech{{"kmn", "kmnM\x01", noise(random, 300), "kmnM\x01" + noise(random, 2000)}};
  if (round % 50 == 0) speech.parts.push_back(noise(random, kOversized));
  speech.cut_wrong = static_cast<int>(speech.parts.size());
  return speech;
}

// Fragments that announce too much, lie beyond their end, leave a hole, or never become whole.
Speech pieces(std::mt19937& random, std::uint64_t& number) {
  const std::string piece = noise(random, 1000);
  auto header = [](std::uint64_t of, std::size_t size, std::uint32_t offset) {
    return channel::encode_header({of, static_cast<std::uint32_t>(size), offset, {}});
  };
  Speech speech{
      .parts = {header(++number, 0xffffffff, 0) + piece, header(++number, wire::kMaxMessage + 1, 0) + piece,
                header(++number, 10, 20) + piece},
      .cut_wrong = 3};
  ++number;
  for (std::uint32_t offset = 0; offset < 5; ++offset)
    speech.parts.push_back(header(number, wire::kMaxMessage, offset * 1000) + piece);
  return speech;
}

// Whole messages that are none of ours.
Speech garbage(std::mt19937& random, std::uint64_t& number) {
  Speech speech{.parts = {}, .unreadable = 4};
  for (const std::string& bytes :
       {std::string("kmnM\xff"), "kmnM\x01" + noise(random, 500), noise(random, 500), std::string()})
    speech.parts.push_back(framed(++number, bytes));
  return speech;
}

// Messages as a daemon makes them: of another sender, and of views, incarnations and members that are not.
Speech lies(NodeId self, std::uint64_t& number) {
  core::Message message{self, {42}, {ring, 1, 99}, 1, {}, core::Ack{5, 6, 7}};
  std::vector<core::Message> all(5, message);
  all[1].view = {{ring.leader, ring.seq + 4}, 7, 99};
  all[1].body = core::Suspend{NodeId{0}};
  all[2].body =
      core::Fact{core::GroupReport{GroupId{1}, core::Spec::place_of(self), {}, core::Activity::kOnline}};
  core::Hello hello;
  hello.live = true;
  hello.lineage.epoch = ~std::uint64_t{0} >> 1;
  all[3].body = hello;
  all[4].from = NodeId{self.value == 0 ? 1u : 0u};
  Speech speech{.parts = {}, .unreadable = 1};
  for (const core::Message& one : all) speech.parts.push_back(framed(++number, *wire::encode(one)));
  return speech;
}

void on_change(cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t, const cpg_address*,
               std::size_t, const cpg_address*, std::size_t) {
  joined = true;
}
void on_ring(cpg_handle_t, cpg_ring_id id, std::uint32_t, const std::uint32_t*) {
  ring = {id.nodeid, id.seq};
}

int complain(const std::string& what) {
  std::fprintf(stderr, "komainu-rogue: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: komainu-rogue CLUSTER\n");
    return 2;
  }
  const std::string group = std::string("komainu:") + argv[1];
  cpg_handle_t handle{};
  cpg_model_v1_data_t callbacks{};
  callbacks.model = CPG_MODEL_V1;
  callbacks.cpg_confchg_fn = on_change;
  callbacks.cpg_totem_confchg_fn = on_ring;
  callbacks.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
  unsigned corosync_id = 0;
  if (cpg_model_initialize(&handle, CPG_MODEL_V1, reinterpret_cast<cpg_model_data_t*>(&callbacks), nullptr) !=
          CS_OK ||
      cpg_local_get(handle, &corosync_id) != CS_OK)
    return complain("Corosync does not answer");
  cpg_name name{};
  name.length = static_cast<uint32_t>(group.size());
  std::memcpy(name.value, group.data(), group.size());
  if (cpg_join(handle, &name) != CS_OK) return complain("cannot join " + group);
  while (!joined)
    if (cpg_dispatch(handle, CS_DISPATCH_ONE) != CS_OK) return complain("Corosync has gone");
  std::mt19937 random(1);
  std::uint64_t number = 0;
  int sent = 0, cut_wrong = 0, unreadable = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::array speeches{babble(random, round), pieces(random, number), garbage(random, number),
                        lies(channel::node_of(corosync_id), number)};
    for (Speech& speech : speeches) {
      for (std::string& part : speech.parts)
        if (!say(handle, std::move(part))) return complain("Corosync takes no more");
      sent += static_cast<int>(speech.parts.size());
      cut_wrong += speech.cut_wrong;
      unreadable += speech.unreadable;
    }
  }
  std::printf("{\"sent\": %d, \"cut_wrong\": %d, \"unreadable\": %d}\n", sent, cut_wrong, unreadable);
  cpg_finalize(handle);
  return 0;
}
