#include "engine/cluster/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "core/testing.h"
#include "engine/files/atomic_file.h"
#include "wire/wire.h"

namespace komainu::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Remedy = StoreProblem::Remedy;

class StoreFile : public ::testing::Test {
 protected:
  StoreFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "komainu-store-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/store";
    core::testing::Cluster cluster(2);
    cluster.group("web", {core::testing::node(1)});
    cluster.monitor("lan", {GroupId{1}});
    durable_ = core::durable_part(cluster.state());
    bytes_ = wire::encode(durable_);
  }
  ~StoreFile() override { std::filesystem::remove_all(folder_); }

  std::expected<std::optional<core::Durable>, StoreProblem> read(const std::string& bytes) {
    EXPECT_TRUE(write_atomically(path_, bytes, 0600));
    return read_store(path_);
  }
  StoreProblem problem(const std::string& bytes) {
    auto read = this->read(bytes);
    if (read) ADD_FAILURE() << "it was believed";
    return read ? StoreProblem{} : read.error();
  }

  std::string folder_;
  std::string path_;
  core::Durable durable_;
  std::string bytes_;
};

TEST_F(StoreFile, IsReadAsItWasWritten) {
  const auto read = this->read(bytes_);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(**read, durable_);
}

TEST_F(StoreFile, ThatIsMissingMeansANewNode) {
  const auto read = read_store(path_);
  ASSERT_TRUE(read);
  EXPECT_FALSE(*read);
}

TEST_F(StoreFile, IsRefusedWhereverItIsCutOff) {
  for (std::size_t length = 0; length < bytes_.size(); ++length) {
    const StoreProblem found = problem(bytes_.substr(0, length));
    EXPECT_EQ(found.remedy, Remedy::kPerson);
    EXPECT_THAT(found.error.what, AllOf(HasSubstr(path_), HasSubstr("is damaged"))) << length;
    EXPECT_THAT(found.error.help, HasSubstr("remove the file"));
  }
}

TEST_F(StoreFile, IsRefusedWithAnyBitFlipped) {
  for (std::size_t i = 0; i < bytes_.size() * 8; ++i) {
    std::string changed = bytes_;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << (i % 8)));
    EXPECT_EQ(problem(changed).remedy, Remedy::kPerson) << "bit " << i;
  }
}

TEST_F(StoreFile, IsRefusedWithSomethingBehindIt) {
  EXPECT_THAT(problem(bytes_ + '\0').error.what, HasSubstr("the checksum does not fit"));
}

TEST_F(StoreFile, OfAnotherVersionIsNotCalledDamaged) {
  std::string newer = bytes_;
  newer[4] = 9;
  const StoreProblem found = problem(newer);
  EXPECT_EQ(found.remedy, Remedy::kPerson);
  EXPECT_EQ(found.error.what, "the store " + path_ +
                                  " was written by another version of komainu: format 9, and this one reads "
                                  "format 1");
  EXPECT_THAT(found.error.help, HasSubstr("install the version that wrote it"));
}

TEST_F(StoreFile, OfAnotherClusterIsNamed) {
  core::Spec other = *durable_.spec;
  other.cluster = "billing";
  durable_.spec = std::make_shared<const core::Spec>(other);
  EXPECT_TRUE(belongs_to(durable_, "billing", path_));
  const auto refused = belongs_to(durable_, "test", path_);
  ASSERT_FALSE(refused);
  const StoreProblem& found = refused.error();
  EXPECT_EQ(found.remedy, Remedy::kPerson);
  EXPECT_EQ(found.error.what, "the store " + path_ + " belongs to cluster 'billing', not to 'test'");
  EXPECT_THAT(found.error.help, HasSubstr(folder_ + "/stream.*"));
}

TEST_F(StoreFile, ThatNamesWhatIsNotThereIsRefused) {
  core::Spec broken = *durable_.spec;
  broken.monitors.at(MonitorId{1}).affects.push_back(GroupId{7});
  durable_.spec = std::make_shared<const core::Spec>(broken);
  EXPECT_THAT(problem(wire::encode(durable_)).error.what,
              HasSubstr("monitor lan names a group that is not there"));
}

TEST_F(StoreFile, ThatIsNoStoreAtAllIsRefused) {
  EXPECT_THAT(problem(std::string(wire::kMaxMessage + 1, 'x')).error.what,
              HasSubstr("more than any store has"));
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  const auto read = read_store(path_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().remedy, Remedy::kPerson);
  EXPECT_THAT(read.error().error.what, HasSubstr("it is no regular file"));
}

}  // namespace
}  // namespace komainu::engine
