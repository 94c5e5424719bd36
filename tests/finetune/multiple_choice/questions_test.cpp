// The reading of multiple-choice tasks: the three layouts, and what is wrong in a file told with its place.
#include "finetune/multiple_choice/questions.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "tests/support/error_of.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/zip_image.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal_of(const std::string& csv) {
  return test::error_of([&] { read_questions(csv, "q.csv"); });
}

TEST(Questions, AreReadWithAndWithoutAHeader) {
  const auto plain = read_questions("\"Two, or\n\"\"2\"\"?\",a,None,1.0,,\" C \"\n\nwhy,a,b,c,d,A\n", "q.csv");
  ASSERT_EQ(plain.size(), 2u);
  EXPECT_EQ(plain[0].text, "Two, or\n\"2\"?");
  EXPECT_THAT(plain[0].options, ElementsAre("a", "None", "1.0", ""));
  EXPECT_EQ(plain[0].answer, 2u);
  EXPECT_EQ(plain[1].place, "q.csv, row 2");
  for (const char* csv : {"\xef\xbb\xbfid,question,A,B,C,D,answer,explanation\n0,why,a,b,c,d,B,so\n",
                          ",Question,A,B,C,D,Answer\n0,why,a,b,c,d,B\n"}) {
    const auto named = read_questions(csv, "q.csv");
    ASSERT_EQ(named.size(), 1u);
    EXPECT_EQ(named[0].text, "why");
    EXPECT_THAT(named[0].options, ElementsAre("a", "b", "c", "d"));
    EXPECT_EQ(named[0].answer, 1u);
    EXPECT_EQ(named[0].place, "q.csv, row 1");
  }
}

TEST(Questions, WhatIsWrongIsToldWithItsRow) {
  EXPECT_EQ(refusal_of("q,a,b,c,d,A\nq,a,b,c,A\n"),
            "q.csv, row 2: 5 cells, 6 are needed: is a text with commas not quoted?");
  EXPECT_EQ(refusal_of("q,a,b,c,d,E\n"), "q.csv, row 1: the answer is 'E', must be A, B, C or D");
  EXPECT_EQ(refusal_of("q,a,b,c,d,\n"), "q.csv, row 1: the answer is '', must be A, B, C or D");
  EXPECT_EQ(refusal_of("q,a,b,c,d,AB\n"), "q.csv, row 1: the answer is 'AB', must be A, B, C or D");
  EXPECT_EQ(refusal_of(""), "q.csv: there are no questions in it");
  EXPECT_EQ(refusal_of("question,A,B,C,D,answer\n"), "q.csv: there are no questions in it");
  EXPECT_EQ(refusal_of("id,question,A,B,C,D\n0,q,a,b,c,d\n"),
            "q.csv: the header has no column 'answer'; where the answers are not public, use the validation split");
  EXPECT_EQ(refusal_of("q,\xff,b,c,d,A\n"), "q.csv, row 1: column 'A' is not UTF-8: save the file as UTF-8");
  EXPECT_EQ(refusal_of("q,a,b,c,d,A\n\"q,a,b,c,d,A\n"), "q.csv, row 2: a quoted cell has no end");
}

class Task : public testing::Test {
 protected:
  Task() {
    spec_.task = "own_test";
    spec_.task_dir = directory_.path();
    write("mapping.json", R"({"second": {"name": "b", "category": "X"}, "first": {"name": "a", "category": "STEM"}})");
    for (const char* subject : {"first", "second"}) {
      write(std::string("test/") + subject + ".csv", "q,a,b,c,d,A\n");
      write(std::string("dev/") + subject + ".csv", "0,a,b,c,d,A\n1,a,b,c,d,B\n2,a,b,c,d,C\n3,a,b,c,d,D\n");
    }
  }
  fs::path folder() const { return directory_.path() / "own"; }
  void write(const std::string& name, const std::string& text) const { write_file_atomic(folder() / name, text); }
  std::string refusal() const {
    return test::error_of([&] { load_subjects(spec_); });
  }

  test::TemporaryDirectory directory_;
  MultipleChoiceSpec spec_;
};

TEST_F(Task, SubjectsComeInTheOrderOfTheMappingWithShotsOfTheSeed) {
  spec_.n_shot = 3;
  const auto subjects = load_subjects(spec_);
  ASSERT_EQ(subjects.size(), 2u);
  EXPECT_EQ(subjects[0].id, "second");
  EXPECT_EQ(subjects[0].category, "X");
  // np.random.default_rng(42).permutation(4) is [3 2 1 0].
  const auto shots = [](const ChoiceSubject& subject) {
    std::string texts;
    for (const ChoiceQuestion& shot : subject.shots) texts += shot.text;
    return texts;
  };
  EXPECT_EQ(shots(subjects[0]), "321");
  EXPECT_EQ(shots(subjects[1]), "321");
  spec_.seed = 7;
  spec_.n_shot = 9;
  EXPECT_EQ(shots(load_subjects(spec_)[0]).size(), 4u);
  EXPECT_NE(shots(load_subjects(spec_)[0]), "3210");
}

TEST_F(Task, FilesThatAreNotThereAreNamed) {
  spec_.task = "own_validation";
  EXPECT_EQ(refusal(), folder().string() +
                           ": subject 'second' of mapping.json has no file of split validation: there is none of "
                           "data/val/second_val.csv, val/second_val.csv, val/second.csv");
  spec_.task = "own_test";
  fs::remove(folder() / "dev/second.csv");
  EXPECT_THAT(refusal(), HasSubstr("dev/second.csv; n_shot: 0 does without examples"));
  spec_.n_shot = 0;
  EXPECT_EQ(refusal(), "");
  spec_.task = "other_test";
  EXPECT_EQ(refusal(), (directory_.path() / "other").string() +
                           ": there is no such folder; task_dir must be the folder that holds it");
}

TEST_F(Task, AMappingIsNotTrusted) {
  write("mapping.json", R"({"../first": {"name": "a", "category": "STEM"}})");
  EXPECT_THAT(refusal(), HasSubstr("subject '../first': is no name of a file"));
  write("mapping.json", R"({"first": {"name": "a"}})");
  EXPECT_THAT(refusal(),
              HasSubstr(R"(subject 'first': must be {"name": "...", "category": "..."}, lacks the text "category")"));
  for (const char* text : {"", "[]", "{}", "{\"first\": "}) {
    write("mapping.json", text);
    EXPECT_THAT(refusal(), HasSubstr("must be an object of subjects")) << text;
  }
}

TEST_F(Task, AnArchiveIsNotTrusted) {
  using test::zip_image::Entry;
  const auto said = [&](std::vector<Entry> entries) {
    for (const char* file : {"dev/first.csv", "dev/second.csv", "test/first.csv"})
      entries.push_back({file, "q,a,b,c,d,A\n"});
    write("own.zip", test::zip_image::zip(entries));
    return refusal();
  };
  const Entry sound = test::zip_image::deflated({"test/second.csv", std::string(100, ' ') + "q,a,b,c,d,A\n"});
  EXPECT_EQ(said({sound}), "");
  EXPECT_EQ(said({{"test/second.csv", "q,a,b,c,d,A\n"}}), "");
  EXPECT_THAT(said({}), HasSubstr("own.zip: subject 'second' of mapping.json has no file of split test"));
  Entry one = sound;
  one.size = *sound.size - 1;
  EXPECT_THAT(said({one}), HasSubstr("own.zip: test/second.csv: is damaged: it does not unpack to its 111 bytes"));
  one.size = *sound.size + 1;
  EXPECT_THAT(said({one}), HasSubstr("is damaged"));
  one = sound;
  one.crc = 1;
  EXPECT_THAT(said({one}), HasSubstr("is damaged"));
  one = sound;
  one.bytes.resize(one.bytes.size() / 2);
  EXPECT_THAT(said({one}), HasSubstr("is damaged"));
  // A bomb: more than is ever read, and more than its size says.
  EXPECT_THAT(said({test::zip_image::deflated({"test/second.csv", std::string(size_t{65} << 20, ' ')})}),
              HasSubstr("unpacks to 68157440 bytes, the most are 67108864"));
  one = test::zip_image::deflated({"test/second.csv", std::string(size_t{65} << 20, ' ')});
  one.size = 1000;
  EXPECT_THAT(said({one}), HasSubstr("is damaged: it does not unpack to its 1000 bytes"));
  EXPECT_THAT(said({sound, sound}), HasSubstr("two entries are named 'test/second.csv'"));
  EXPECT_THAT(said({{"test/second.csv", "x", 0, 12}}), HasSubstr("is compressed by another method"));
  EXPECT_THAT(said({{"test/second.csv", "x", 0, 0, 1}}), HasSubstr("is encrypted"));
  write("own.zip", "PK");
  EXPECT_THAT(refusal(), HasSubstr("the zip archive has no end"));
}

}  // namespace
}  // namespace hearth
