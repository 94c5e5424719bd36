// A library of our own that is loaded when it is needed, because what it stands on is large and optional: beside the
// program, else where it was built.
#pragma once

#include <string>

namespace hearth {

class LoadedLibrary {
 public:
  // `file`: its name beside the program; `built`: where the build put it; `flags`: of dlopen, beside RTLD_NOW. It stays
  // loaded until the process ends.
  LoadedLibrary(const std::string& file, const std::string& built, int flags);

  bool loaded() const { return handle_ != nullptr; }
  const std::string& reason() const { return reason_; }  // why it is not
  // Throws kInternal for a function that it does not have.
  template <class Function>
  Function symbol(const char* name) const {
    return reinterpret_cast<Function>(address(name));
  }

 private:
  void* address(const char* name) const;

  void* handle_ = nullptr;
  std::string reason_;
};

}  // namespace hearth
