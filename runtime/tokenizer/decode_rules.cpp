#include "runtime/tokenizer/decode_rules.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/tokenizer/byte_fallback.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/metaspace.h"
#include "runtime/tokenizer/regex.h"
#include "runtime/tokenizer/replace_all.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

// A step that changes every token by itself.
class MapStep : public DecodeStep {
 public:
  std::unique_ptr<DecodeStage> start(DecodeStage& next) const override { return std::make_unique<Stage>(*this, next); }

 private:
  class Stage : public DecodeStage {
   public:
    Stage(const MapStep& step, DecodeStage& next) : step_(step), next_(next) {}
    void push(std::string token) override { next_.push(step_.in_the_middle(std::move(token))); }
    void finish() override {}

   private:
    const MapStep& step_;
    DecodeStage& next_;
  };
};

// A step whose stage knows more than one token: Stage(step, next).
template <class Self, class Stage>
class StatefulStep : public DecodeStep {
 public:
  std::unique_ptr<DecodeStage> start(DecodeStage& next) const override {
    return std::make_unique<Stage>(static_cast<const Self&>(*this), next);
  }
};

class BytesStage : public DecodeStage {
 public:
  BytesStage(const DecodeStep& step, DecodeStage& next) : step_(step), next_(next) {}
  void push(std::string token) override {
    pending_ += step_.in_the_middle(std::move(token));
    give(/*final=*/false);
  }
  void finish() override { give(/*final=*/true); }

 private:
  void give(bool final) {
    std::string text;
    pending_.erase(0, utf8::append_lossy(pending_, final, text));
    if (!text.empty()) next_.push(std::move(text));
  }
  const DecodeStep& step_;
  DecodeStage& next_;
  std::string pending_;  // of a character that is not whole
};

class RawBytes : public StatefulStep<RawBytes, BytesStage> {
 public:
  std::string in_the_middle(std::string token) const override { return token; }
};

class ByteLevel : public StatefulStep<ByteLevel, BytesStage> {
 public:
  std::string in_the_middle(std::string token) const override { return byte_level::decode(token); }
};

class ByteFallbackStage : public DecodeStage {
 public:
  ByteFallbackStage(const DecodeStep&, DecodeStage& next) : next_(next) {}
  void push(std::string token) override {
    if (const std::optional<uint8_t> byte = parse_byte_token(token)) {
      run_ += static_cast<char>(*byte);
    } else {
      finish();
      next_.push(std::move(token));
    }
  }
  void finish() override {
    if (run_.empty()) return;
    if (utf8::find_invalid(run_) == std::string_view::npos) {
      next_.push(std::exchange(run_, {}));
    } else {
      for (size_t bytes = std::exchange(run_, {}).size(); bytes > 0; --bytes)
        next_.push(std::string(utf8::kReplacement));
    }
  }

 private:
  DecodeStage& next_;
  std::string run_;
};

class ByteFallback : public StatefulStep<ByteFallback, ByteFallbackStage> {
 public:
  std::string in_the_middle(std::string token) const override {
    const std::optional<uint8_t> byte = parse_byte_token(token);
    return byte ? std::string(1, static_cast<char>(*byte)) : token;
  }
};

class Replace : public MapStep {
 public:
  Replace(std::string pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  std::string in_the_middle(std::string token) const override { return replace_all(token, pattern_, content_); }

 private:
  std::string pattern_, content_;
};

class RegexReplace : public MapStep {
 public:
  RegexReplace(const std::string& pattern, std::string content) : regex_(pattern), content_(std::move(content)) {}
  std::string in_the_middle(std::string token) const override { return replace_all(token, regex_, content_); }

 private:
  Regex regex_;
  std::string content_;
};

class FusedReplace : public DecodeStep {
 public:
  FusedReplace(std::string pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  std::string in_the_middle(std::string token) const override { return replace_all(token, pattern_, content_); }
  std::unique_ptr<DecodeStage> start(DecodeStage& next) const override { return std::make_unique<Stage>(*this, next); }

 private:
  class Stage : public DecodeStage {
   public:
    Stage(const FusedReplace& step, DecodeStage& next) : step_(step), next_(next) {}
    void push(std::string part) override {
      held_ += part;
      std::string text;
      size_t done = 0;
      for (size_t at; (at = held_.find(step_.pattern_, done)) != std::string::npos; done = at + step_.pattern_.size())
        text.append(held_, done, at - done).append(step_.content_);
      const size_t keep = held_.size() - begun(std::string_view(held_).substr(done));
      text.append(held_, done, keep - done);
      held_.erase(0, keep);
      if (!text.empty()) next_.push(std::move(text));
    }
    void finish() override {
      if (!held_.empty()) next_.push(std::exchange(held_, {}));
    }

   private:
    // How much of the end of `text` may be the beginning of an occurrence.
    size_t begun(std::string_view text) const {
      size_t length = std::min(text.size(), step_.pattern_.size() - 1);
      while (length > 0 && !step_.pattern_.starts_with(text.substr(text.size() - length))) --length;
      return length;
    }
    const FusedReplace& step_;
    DecodeStage& next_;
    std::string held_;
  };
  std::string pattern_, content_;
};

class Strip : public MapStep {
 public:
  explicit Strip(StripRule rule) : rule_(std::move(rule)) {}
  std::string in_the_middle(std::string token) const override {
    std::string_view text = token;
    for (uint64_t i = 0; i < rule_.left && text.starts_with(rule_.content); ++i)
      text.remove_prefix(rule_.content.size());
    for (uint64_t i = 0; i < rule_.right && text.ends_with(rule_.content); ++i)
      text.remove_suffix(rule_.content.size());
    return std::string(text);
  }

 private:
  StripRule rule_;
};

class FusedStrip : public DecodeStep {
 public:
  explicit FusedStrip(StripRule rule) : rule_(std::move(rule)) {}
  std::string in_the_middle(std::string token) const override { return token; }
  std::unique_ptr<DecodeStage> start(DecodeStage& next) const override { return std::make_unique<Stage>(rule_, next); }

 private:
  class Stage : public DecodeStage {
   public:
    Stage(const StripRule& rule, DecodeStage& next) : rule_(rule), next_(next), left_(rule.left) {}
    void push(std::string part) override {
      const std::string text = std::exchange(held_, {}) + part;
      const size_t size = rule_.content.size();
      size_t begin = 0, end = text.size();
      while (left_ > 0 && begin < end) {
        left_ = text.compare(begin, size, rule_.content) == 0 ? left_ - 1 : 0;
        if (text.compare(begin, size, rule_.content) == 0) begin += size;
      }
      for (uint64_t i = 0; i < rule_.right && end >= begin + size && text.compare(end - size, size, rule_.content) == 0;
           ++i)
        end -= size;
      held_ = text.substr(end);
      if (end > begin) next_.push(text.substr(begin, end - begin));
    }
    void finish() override {}  // what is held back is what is stripped

   private:
    const StripRule& rule_;
    DecodeStage& next_;
    uint64_t left_;
    std::string held_;
  };
  StripRule rule_;
};

// A step that treats the first token in its own way: first(token) there, in_the_middle elsewhere.
class FirstAwareStep : public DecodeStep {
 public:
  virtual std::string first(std::string token) const = 0;
  std::unique_ptr<DecodeStage> start(DecodeStage& next) const override { return std::make_unique<Stage>(*this, next); }

 private:
  class Stage : public DecodeStage {
   public:
    Stage(const FirstAwareStep& step, DecodeStage& next) : step_(step), next_(next) {}
    void push(std::string token) override {
      next_.push(std::exchange(is_first_, false) ? step_.first(std::move(token))
                                                 : step_.in_the_middle(std::move(token)));
    }
    void finish() override {}

   private:
    const FirstAwareStep& step_;
    DecodeStage& next_;
    bool is_first_ = true;
  };
};

class Metaspace : public FirstAwareStep {
 public:
  Metaspace(std::string replacement, bool drops_first)
      : replacement_(std::move(replacement)), drops_first_(drops_first) {}
  std::string first(std::string token) const override {
    return replace_all(token, replacement_, drops_first_ ? "" : " ");
  }
  std::string in_the_middle(std::string token) const override { return replace_all(token, replacement_, " "); }

 private:
  std::string replacement_;
  bool drops_first_;
};

std::string clean_up(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [pattern, content] : kRules) text = replace_all(text, pattern, content);
  return text;
}

class WordPiece : public FirstAwareStep {
 public:
  WordPiece(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  std::string first(std::string token) const override { return cleanup_ ? clean_up(std::move(token)) : token; }
  std::string in_the_middle(std::string token) const override {
    return first(token.starts_with(prefix_) ? token.substr(prefix_.size()) : " " + token);
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class SpaceJoin : public FirstAwareStep {
 public:
  std::string first(std::string token) const override { return token; }
  std::string in_the_middle(std::string token) const override { return " " + token; }
};

class BpeDecoder : public DecodeStep {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  std::string in_the_middle(std::string token) const override { return replace_all(token, suffix_, " "); }
  std::unique_ptr<DecodeStage> start(DecodeStage& next) const override { return std::make_unique<Stage>(*this, next); }

 private:
  class Stage : public DecodeStage {
   public:
    Stage(const BpeDecoder& step, DecodeStage& next) : step_(step), next_(next) {}
    void push(std::string token) override {
      // All but the suffix at the end is certain.
      if (std::exchange(is_held_, false)) next_.push(step_.in_the_middle(std::move(held_)));
      if (token.find(step_.suffix_) == std::string::npos) return next_.push(std::move(token));
      held_ = std::move(token);
      is_held_ = true;
    }
    void finish() override {
      if (std::exchange(is_held_, false)) next_.push(replace_all(held_, step_.suffix_, ""));
    }

   private:
    const BpeDecoder& step_;
    DecodeStage& next_;
    bool is_held_ = false;
    std::string held_;
  };
  std::string suffix_;
};

class Ctc : public DecodeStep {
 public:
  Ctc(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}
  std::string in_the_middle(std::string token) const override {
    token = replace_all(token, pad_, "");
    return cleanup_ ? replace_all(clean_up(std::move(token)), delimiter_, " ") : token;
  }
  std::unique_ptr<DecodeStage> start(DecodeStage& next) const override { return std::make_unique<Stage>(*this, next); }

 private:
  class Stage : public DecodeStage {
   public:
    Stage(const Ctc& step, DecodeStage& next) : step_(step), next_(next) {}
    void push(std::string token) override {
      if (token == last_) return;
      last_ = token;
      if (std::string text = step_.in_the_middle(std::move(token)); !text.empty()) next_.push(std::move(text));
    }
    void finish() override {}

   private:
    const Ctc& step_;
    DecodeStage& next_;
    std::optional<std::string> last_;
  };
  std::string pad_, delimiter_;
  bool cleanup_;
};

}  // namespace

DecodeStepPtr make_byte_level_decoder() { return std::make_shared<ByteLevel>(); }
DecodeStepPtr make_byte_fallback_decoder() { return std::make_shared<ByteFallback>(); }
DecodeStepPtr make_replace_decoder(const std::string& pattern, bool is_regex, const std::string& content) {
  if (is_regex) return std::make_shared<RegexReplace>(pattern, content);
  return std::make_shared<Replace>(pattern, content);
}
DecodeStepPtr make_fused_replace_decoder(const std::string& pattern, const std::string& content) {
  return std::make_shared<FusedReplace>(pattern, content);
}
DecodeStepPtr make_strip_decoder(const StripRule& rule) { return std::make_shared<Strip>(rule); }
DecodeStepPtr make_fused_strip_decoder(const StripRule& rule) { return std::make_shared<FusedStrip>(rule); }
DecodeStepPtr make_metaspace_decoder(const std::string& replacement, bool drops_first) {
  return std::make_shared<Metaspace>(replacement, drops_first);
}
DecodeStepPtr make_wordpiece_decoder(const std::string& prefix, bool cleanup) {
  return std::make_shared<WordPiece>(prefix, cleanup);
}
DecodeStepPtr make_bpe_decoder(const std::string& suffix) { return std::make_shared<BpeDecoder>(suffix); }
DecodeStepPtr make_ctc_decoder(const std::string& pad, const std::string& delimiter, bool cleanup) {
  return std::make_shared<Ctc>(pad, delimiter, cleanup);
}
DecodeStepPtr make_space_join() { return std::make_shared<SpaceJoin>(); }

DecodeRules decode_bytes() { return {{std::make_shared<RawBytes>()}}; }
DecodeRules decode_sentencepiece(bool strip_space) {
  DecodeRules rules{{make_replace_decoder(std::string(kMetaspace), false, " "), make_byte_fallback_decoder()}};
  if (strip_space) rules.steps.push_back(make_fused_strip_decoder({.content = " ", .left = 1}));
  return rules;
}

}  // namespace hearth
