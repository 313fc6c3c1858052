// Records that are cut off, damaged, of several clusters, or begin in the middle.
#include "engine/cluster/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/testing.h"
#include "engine/files/ring_file.h"
#include "wire/wire.h"

namespace komainu::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr NodeId kSelf{1};

core::SpecPtr spec_of(const std::string& name) {
  core::testing::Cluster cluster(1);
  cluster.spec.cluster = name;
  cluster.group("web");
  return std::make_shared<const core::Spec>(cluster.spec);
}

// What a node that lives through a ring of its own keeps, as the channel and the disk would tell it.
std::vector<std::string> life(const std::string& cluster) {
  std::vector<std::string> records;
  const auto keep = [&](LocalTime at, decltype(StreamRecord::what) what) {
    records.push_back(encode(StreamRecord{at, at.since_boot.count(), std::move(what)}));
  };
  core::Durable durable;
  durable.spec = spec_of(cluster);
  core::Replica replica({.self = kSelf, .incarnation = {7}, .plans = false}, durable.spec, durable);
  keep(LocalTime{1s}, Began{kSelf, {7}, 0, wire::encode(durable)});
  std::vector<core::Message> stream;
  const auto step = [&](LocalTime at, const core::Input& input) {
    for (core::Effect& effect : replica.step(at, input)) {
      if (auto* send = std::get_if<core::Send>(&effect)) stream.push_back(std::move(send->message));
      if (auto* store = std::get_if<core::Store>(&effect)) replica.step(at, core::Stored{store->token, true});
    }
  };
  const core::RingChange change{{1, 4}, {{kSelf, 100}}, {kSelf}};
  const core::QuorumVerdict verdict{{1, 4}, true};
  keep(LocalTime{2s}, change);
  step(LocalTime{2s}, change);
  keep(LocalTime{2s}, verdict);
  step(LocalTime{2s}, verdict);
  bool established = false;
  for (std::size_t next = 0; next < stream.size() && next < 12; ++next) {
    const core::Message message = stream[next];
    keep(LocalTime{3s}, Came{kSelf, *wire::encode(message)});
    step(LocalTime{3s}, core::Delivered{message});
    if (!std::exchange(established, replica.phase() == core::Phase::kEstablished) && established)
      keep(LocalTime{3s}, Established{wire::encode(replica.state())});
  }
  EXPECT_TRUE(established);
  return records;
}

struct Shown {
  std::vector<std::string> events;
  std::vector<std::string> problems;
  std::vector<RingGap::Why> gaps;
  std::vector<std::string> clusters;
  std::uint64_t messages = 0, passed_over = 0, differences = 0;
};

Shown replayed(const std::string& path) {
  Shown shown;
  Replay replay([&](std::int64_t, const core::Event& event) { shown.events.push_back(event.text); });
  const auto take = [&](std::string_view bytes) {
    const auto record = decode_stream_record(bytes);
    if (!record) {
      shown.problems.push_back(record.error().what);
      return replay.lose_track();
    }
    if (const auto taken = replay.take(*record); !taken) shown.problems.push_back(taken.error().what);
  };
  const auto gap = [&](const RingGap& found) {
    shown.problems.push_back(found.error.what);
    shown.gaps.push_back(found.why);
    replay.lose_track();
  };
  if (const auto read = read_ring_file(path, {take, gap}); !read) shown.problems.push_back(read.error().what);
  shown.clusters = replay.clusters();
  shown.messages = replay.messages();
  shown.passed_over = replay.passed_over();
  shown.differences = replay.differences();
  return shown;
}

class Record : public ::testing::Test {
 protected:
  Record() {
    std::string pattern = (std::filesystem::temp_directory_path() / "komainu-replay-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/stream";
  }
  ~Record() override { std::filesystem::remove_all(folder_); }

  void keep(const std::vector<std::string>& records, std::size_t half = RingFile::kHalf) {
    RingFile ring(path_, half);
    for (const std::string& record : records) ASSERT_TRUE(ring.append(record));
  }
  std::string bytes() const {
    std::ifstream file(path_ + ".1", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& bytes) { std::ofstream(path_ + ".1", std::ios::binary) << bytes; }

  std::string folder_;
  std::string path_;
};

bool is_beginning(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST_F(Record, IsReplayedWhole) {
  keep(life("shop"));
  const Shown whole = replayed(path_);
  EXPECT_THAT(whole.problems, IsEmpty());
  EXPECT_THAT(whole.clusters, ElementsAre("shop"));
  EXPECT_GT(whole.messages, 0u);
  EXPECT_EQ(whole.differences, 0u);
}

TEST_F(Record, IsReplayedAsFarAsItGoesWhereverItIsCutOff) {
  keep(life("shop"));
  const Shown whole = replayed(path_);
  const std::string all = bytes();
  std::size_t unfinished = 0;
  for (std::size_t length = 0; length < all.size(); ++length) {
    put(all.substr(0, length));
    const Shown part = replayed(path_);
    EXPECT_TRUE(is_beginning(part.events, whole.events)) << length;
    EXPECT_EQ(part.differences, 0u) << length;
    unfinished += part.gaps == std::vector{RingGap::Why::kUnfinished};
    if (length < 16) {
      EXPECT_THAT(part.problems, ElementsAre(HasSubstr("ends within its header"))) << length;
    }
  }
  EXPECT_GT(unfinished, all.size() * 9 / 10) << "all but where a record ends";
}

TEST_F(Record, IsReplayedOnlyUpToAChangedByte) {
  keep(life("shop"));
  const Shown whole = replayed(path_);
  const std::string all = bytes();
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::string changed = all;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    put(changed);
    const Shown part = replayed(path_);
    EXPECT_TRUE(is_beginning(part.events, whole.events)) << i;
    EXPECT_EQ(part.differences, 0u) << i;
    // The generation's bits tell only the order of the halves.
    if (i < 8 || i >= 16) {
      EXPECT_THAT(part.problems, ::testing::SizeIs(1)) << i;
    }
  }
}

TEST_F(Record, IsPickedUpBehindADamagedPartWhereTheDaemonBeginsAgain) {
  std::vector<std::string> records = life("shop");
  const std::vector<std::string> again = records;
  records[1] = "no record at all";
  records.insert(records.end(), again.begin(), again.end());
  keep(records);
  const Shown shown = replayed(path_);
  EXPECT_THAT(shown.problems, ElementsAre(HasSubstr("a record of the stream is malformed")));
  EXPECT_EQ(shown.differences, 0u) << "what is missing is no other decision";
  EXPECT_GT(shown.passed_over, 0u);
  EXPECT_EQ(shown.messages, shown.passed_over) << "of the second run, as many";
}

TEST_F(Record, SaysWhoseItIs) {
  keep(life("shop"));
  keep(life("billing"));
  EXPECT_THAT(replayed(path_).clusters, ElementsAre("shop", "billing"));
}

TEST_F(Record, ThatBeginsInTheMiddleDecidesNothing) {
  std::vector<std::string> records = life("shop");
  records.erase(records.begin());
  keep(records);
  const Shown shown = replayed(path_);
  EXPECT_THAT(shown.events, IsEmpty());
  EXPECT_EQ(shown.messages, 0u);
  EXPECT_GT(shown.passed_over, 0u);
}

TEST_F(Record, WithAStoreOrAStateThatIsNoneIsNotFollowed) {
  std::vector<std::string> records = life("shop");
  records[0] = encode(StreamRecord{{}, 0, Began{kSelf, {7}, 0, "kmnD no store"}});
  keep(records);
  Shown shown = replayed(path_);
  EXPECT_THAT(shown.problems, ElementsAre(HasSubstr("cannot read the store")));
  EXPECT_EQ(shown.messages, 0u);

  std::filesystem::remove(path_ + ".1");
  records = life("shop");
  core::State state = core::cold_state(spec_of("shop"), {});
  state.nodes.clear();
  records.insert(records.begin() + 1, encode(StreamRecord{{}, 0, Established{wire::encode(state)}}));
  keep(records);
  shown = replayed(path_);
  EXPECT_THAT(shown.problems, ElementsAre(HasSubstr("a state does not fit together")));
  EXPECT_EQ(shown.messages, 0u);
}

TEST_F(Record, OfHalvesThatDoNotBelongTogetherOnlyTheNewerIsUsed) {
  keep(life("shop"), 64);  // a half for each record
  std::filesystem::copy_file(path_ + ".0", folder_ + "/kept");
  keep(life("shop"), 64);
  std::filesystem::rename(folder_ + "/kept", path_ + ".0");
  EXPECT_THAT(replayed(path_).problems, ::testing::Contains(HasSubstr("is no continuation of")));
}

TEST_F(Record, OfAnotherVersionSaysSo) {
  put("kmnring9 and what follows");
  EXPECT_THAT(replayed(path_).problems, ElementsAre(HasSubstr("was written by another version of komainu")));
}

}  // namespace
}  // namespace komainu::engine
