#include "runtime/base/loaded_library.h"

#include <filesystem>
#include <system_error>

#include <dlfcn.h>

#include "runtime/base/error.h"

namespace hearth {

LoadedLibrary::LoadedLibrary(const std::string& file, const std::string& built, int flags) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path() / file;
  for (const fs::path& path : {beside, fs::path(built)}) {
    if (!fs::exists(path, error)) continue;
    handle_ = ::dlopen(path.c_str(), RTLD_NOW | flags);
    if (handle_) return;
    reason_ = ::dlerror();
  }
  if (reason_.empty()) reason_ = "there is no " + beside.string();
}

void* LoadedLibrary::address(const char* name) const {
  void* found = handle_ ? ::dlsym(handle_, name) : nullptr;
  if (!found) throw internal_error("a library of hearth's lacks '{}'", name);
  return found;
}

}  // namespace hearth
