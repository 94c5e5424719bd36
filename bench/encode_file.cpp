// Encodes a file of texts and tells how long it took: hearth's side of bench/tokenizer_peers.py. Every line on standard
// input starts a pass over all texts in this one thread; the seconds it took are printed, and the first pass writes the
// ids. TEXTS and IDS hold, for every text, a 32-bit count and so many bytes or 32-bit ids.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {
namespace {

std::vector<std::string> read_texts(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw not_found("{}: cannot be read", path);
  std::vector<std::string> texts;
  for (uint32_t bytes = 0; file.read(reinterpret_cast<char*>(&bytes), sizeof bytes);) {
    std::string text(bytes, '\0');
    if (!file.read(text.data(), bytes)) throw data_corruption("{}: ends inside a text", path);
    texts.push_back(std::move(text));
  }
  return texts;
}

void write_ids(const std::string& path, const std::vector<std::vector<TokenId>>& all) {
  std::ofstream file(path, std::ios::binary);
  for (const std::vector<TokenId>& ids : all) {
    const auto count = static_cast<uint32_t>(ids.size());
    file.write(reinterpret_cast<const char*>(&count), sizeof count);
    file.write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(count * sizeof(TokenId)));
  }
  if (!file.flush()) throw resource_exhausted("{}: cannot be written", path);
}

void run(const std::string& source, const std::string& texts_path, const std::string& ids_path) {
  const std::shared_ptr<const Tokenizer> tokenizer = source.ends_with(".gguf")
                                                         ? load_tokenizer(*GgufFile::open(source))
                                                         : load_tokenizer(std::filesystem::path(source));
  const std::vector<std::string> texts = read_texts(texts_path);
  std::vector<std::vector<TokenId>> ids(texts.size());
  bool first = true;
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < texts.size(); ++i) ids[i] = tokenizer->encode(texts[i]);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (first) write_ids(ids_path, ids);
    first = false;
    std::cout << seconds.count() << std::endl;
  }
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: encode_file DIRECTORY_OR_GGUF TEXTS IDS\n";
    return 2;
  }
  try {
    hearth::run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::cerr << "encode_file: " << error.what() << '\n';
    return 1;
  }
}
