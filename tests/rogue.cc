// A stranger in the process group of a cluster: joins it beside the real daemon and says what no daemon says.
// Nobody may believe, crash on or be delayed by any of it.
#include <corosync/cpg.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kRounds = 200;
// Corosync takes up to 1 MiB at once (cpg_mcast_joined(3)).
constexpr std::size_t kOversized = 1000 * 1000;

bool say(cpg_handle_t handle, std::string bytes) {
  iovec part{bytes.data(), bytes.size()};
  for (int tries = 0; tries < 1000; ++tries) {
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
  if (cpg_model_initialize(&handle, CPG_MODEL_V1, reinterpret_cast<cpg_model_data_t*>(&callbacks), nullptr) !=
      CS_OK) {
    std::fprintf(stderr, "komainu-rogue: Corosync does not answer\n");
    return 1;
  }
  cpg_name name{};
  name.length = static_cast<uint32_t>(group.size());
  std::memcpy(name.value, group.data(), group.size());
  if (cpg_join(handle, &name) != CS_OK) {
    std::fprintf(stderr, "komainu-rogue: cannot join %s\n", group.c_str());
    return 1;
  }
  std::mt19937 random(1);
  int sent = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> lies = {"",
                                     "kmn",
                                     "kmnM\x01",
                                     "kmnM\xff" + noise(random, 64),
                                     noise(random, 300),
                                     "kmnM\x01" + noise(random, 2000)};
    if (round % 50 == 0) lies.push_back(noise(random, kOversized));
    for (std::string& lie : lies) sent += say(handle, std::move(lie)) ? 1 : 0;
  }
  std::printf("sent %d messages\n", sent);
  cpg_finalize(handle);
  return sent > kRounds ? 0 : 1;
}
