#include "proto/names.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weir::proto {
namespace {

using Check = Result<> (*)(std::string_view);

void expect_valid(Check check, std::string_view name) {
  EXPECT_TRUE(check(name)) << name;
}

void expect_invalid(Check check, std::string_view name) {
  const Result<> checked = check(name);
  ASSERT_FALSE(checked) << name;
  EXPECT_EQ(checked.error().code, Errc::kInvalidName) << name;
  EXPECT_NE(checked.error().message.find(printable(name)), std::string::npos) << name;
}

/// The bytes that are a name on their own.
std::string single_characters(Check check) {
  std::string valid;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (check(std::string_view(&c, 1))) {
      valid.push_back(c);
    }
  }
  return valid;
}

TEST(QueueName, FollowsTheRule) {
  for (const std::string_view name :
       {"a", "orders", "Orders_2024-01", "-", "_", "a__b", "a.fifo", "weir", "weir-x", "default"}) {
    expect_valid(check_queue_name, name);
  }
  for (const std::string_view name :
       {"", ".fifo", "a.b", "a.fifo.fifo", "a.FIFO", "a.fif", "a b", "a/b", "..", "\xc3\xa4", "a\n",
        "weir.fifo", "__a", "__", "__a.fifo"}) {
    expect_invalid(check_queue_name, name);
  }
  EXPECT_EQ(single_characters(check_queue_name),
            "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
}

TEST(QueueName, CountsTheEndingWithinTheLength) {
  expect_valid(check_queue_name, std::string(80, 'q'));
  expect_invalid(check_queue_name, std::string(81, 'q'));
  expect_valid(check_queue_name, std::string(75, 'q') + ".fifo");
  expect_invalid(check_queue_name, std::string(76, 'q') + ".fifo");
}

TEST(TopicName, FollowsTheRule) {
  for (const std::string_view name :
       {"a", "orders.created", "...", ".a", "_", "-", "a.weir.b", "weir", "Weir.x"}) {
    expect_valid(check_topic_name, name);
  }
  for (const std::string_view name : {"", ".", "..", "a b", "a/b", "a:b", "\xc3\xa4", "weir.x",
                                      "weir.", "__x", "__consumer_offsets"}) {
    expect_invalid(check_topic_name, name);
  }
  expect_invalid(check_topic_name, std::string_view("a\0b", 3));
  expect_valid(check_topic_name, std::string(249, 't'));
  expect_invalid(check_topic_name, std::string(250, 't'));
  EXPECT_EQ(single_characters(check_topic_name),
            "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
}

TEST(NamespaceName, FollowsTheRule) {
  for (const std::string_view name : {"default", "a", "team-1", "-"}) {
    expect_valid(check_namespace_name, name);
  }
  for (const std::string_view name : {"", "A", "a_b", "a.b", "weir.a", "__a", "a b"}) {
    expect_invalid(check_namespace_name, name);
  }
  expect_valid(check_namespace_name, std::string(63, 'n'));
  expect_invalid(check_namespace_name, std::string(64, 'n'));
  EXPECT_EQ(single_characters(check_namespace_name), "-0123456789abcdefghijklmnopqrstuvwxyz");
  EXPECT_TRUE(check_namespace_name(kDefaultNamespace));
}

TEST(Printable, ShowsWhatIsSafeToPrint) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("a b~!"), "a b~!");
  EXPECT_EQ(printable(std::string_view("\0\n\x1b\x7f\xff", 5)), "\\x00\\x0a\\x1b\\x7f\\xff");
  for (int byte = 0; byte < 256; ++byte) {
    for (const char c : printable(std::string(1, static_cast<char>(byte)))) {
      EXPECT_TRUE(c >= ' ' && c <= '~') << byte;
    }
  }
}

TEST(Printable, CutsAtAHundredCharacters) {
  EXPECT_EQ(printable(std::string(1'000, 'x')), std::string(100, 'x'));
  EXPECT_EQ(printable(std::string(97, 'x') + "\n\n"), std::string(97, 'x'));
  EXPECT_EQ(printable(std::string(1'000, '\n')).size(), 100U);
  EXPECT_EQ(printable(std::string(99, 'x') + "\ny"), std::string(99, 'x'));
}

}  // namespace
}  // namespace weir::proto
