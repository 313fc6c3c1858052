#include "engine/files/corosync_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "engine/files/atomic_file.h"

namespace komainu::engine {
namespace {

using ::testing::HasSubstr;

class CorosyncKey : public ::testing::Test {
 protected:
  CorosyncKey() {
    std::string pattern = ::testing::TempDir() + "komainu_key_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/authkey";
  }
  ~CorosyncKey() override { std::filesystem::remove_all(folder_); }

  void holds(const std::string& key, mode_t mode) { ASSERT_TRUE(write_atomically(path_, key, mode)); }
  std::string complaint(const std::string& fingerprint) {
    const auto checked = check_corosync_key(path_, fingerprint);
    return checked ? "" : checked.error().what;
  }

  std::string folder_, path_;
};

// FIPS 180-2, appendix B.1: the digest of "abc".
TEST_F(CorosyncKey, IsNamedByTheBeginningOfItsDigest) {
  EXPECT_EQ(key_fingerprint("abc"), "ba7816bf8f01cfea");
}

TEST_F(CorosyncKey, IsThereOrItIsSaidWhatToRun) {
  EXPECT_THAT(complaint("ba7816bf8f01cfea"), HasSubstr("there is no " + path_));
  EXPECT_THAT(complaint("ba7816bf8f01cfea"), HasSubstr("komainu cluster take-key FILE"));
  holds("abc", 0400);
  EXPECT_EQ(complaint("ba7816bf8f01cfea"), "");
}

TEST_F(CorosyncKey, IsTheOneThatWasMeant) {
  holds("abd", 0400);
  EXPECT_THAT(complaint("ba7816bf8f01cfea"), HasSubstr("holds another key, " + key_fingerprint("abd")));
}

TEST_F(CorosyncKey, IsNobodyElsesToRead) {
  for (const mode_t mode : {0440, 0644, 0404}) {
    holds("abc", mode);
    EXPECT_THAT(complaint("ba7816bf8f01cfea"), HasSubstr("chmod 0400 " + path_)) << std::oct << mode;
  }
}

}  // namespace
}  // namespace komainu::engine
