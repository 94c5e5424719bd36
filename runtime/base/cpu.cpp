#include "runtime/base/cpu.h"

#include <cstdlib>
#include <fstream>

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"

namespace hearth {
namespace {

bool has_f16c() {  // clang 14's __builtin_cpu_supports does not know the name
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
}

// The kernel saves tiles of threads only for a process that has asked for it.
bool may_use_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool has_amx() {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;  // of leaf 7's edx
  unsigned eax, ebx, ecx, edx;
  if (!has_avx512() || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  return (edx & kBf16) && (edx & kTile) && may_use_tiles();
}

Isa best_isa() {
  if (has_amx()) return Isa::kAmx;
  return has_avx512() ? Isa::kAvx512 : has_avx2() ? Isa::kAvx2 : Isa::kScalar;
}

Isa choose_isa() {
  const Isa best = best_isa();
  const char* wanted = std::getenv("HEARTH_ISA");
  if (!wanted || !*wanted) return best;
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (to_string(isa) != wanted) continue;
    if (isa > best) throw invalid_argument("HEARTH_ISA={}: this CPU has only {}", wanted, to_string(best));
    return isa;
  }
  throw invalid_argument("HEARTH_ISA={}: must be scalar, avx2, avx512 or amx", wanted);
}

std::string model_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown CPU";
}

}  // namespace

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAmx:
      return "amx";
  }
  return "scalar";
}

Isa isa() {
  static const Isa chosen = choose_isa();
  return chosen;
}

std::string cpu_description() {
  return fmt::format("{}, {} threads, {}", model_name(), num_threads(), to_string(isa()));
}

}  // namespace hearth
