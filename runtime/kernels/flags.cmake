# Compile options of the kernel files: set_kernel_flags(FOLDER [EMULATE_AVX512]) for the targets of the including directory. Kernels are optimised in every
# build (a debug build of them is too slow to test with) and never contract a * b + c on their own: the versions must round alike. Each instruction set has
# files of its own, chosen at start; these inner loops are not instrumented by sanitizers (minutes to compile, tens of times slower): their tests put
# buffers against protected pages instead. With EMULATE_AVX512 the *_avx512.cpp are translated by SIMDe to AVX2, so that they can be tested on CPUs that lack it.
set(HEARTH_AVX2_FLAGS -mavx2 -mfma -mf16c)
set(HEARTH_AVX512_FLAGS ${HEARTH_AVX2_FLAGS} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx512bf16 -mprefer-vector-width=512)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # gcc 12 warns inside its own AVX-512 headers (PR 105593)
  list(APPEND HEARTH_AVX512_FLAGS -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

function(set_kernel_flags folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(avx512_flags ${HEARTH_AVX512_FLAGS})
  if("EMULATE_AVX512" IN_LIST ARGN)
    set(avx512_flags ${HEARTH_AVX2_FLAGS} -DHEARTH_EMULATE_AVX512 -Wno-psabi -fno-openmp -O1)  # -O3, or SIMDe's OpenMP loops, would take minutes to compile
  endif()
  foreach(source ${sources})
    set(flags -O3 -ffp-contract=off)
    if(source MATCHES "_(scalar|avx2|avx512|amx)\\.cpp$")
      list(APPEND flags -fno-sanitize=all)
    endif()
    if(source MATCHES "amx\\.cpp$")
      list(APPEND flags ${HEARTH_AVX512_FLAGS} -mamx-tile -mamx-bf16)  # never emulated
    elseif(source MATCHES "avx512\\.cpp$")
      list(APPEND flags ${avx512_flags})
    elseif(source MATCHES "avx2\\.cpp$")
      list(APPEND flags ${HEARTH_AVX2_FLAGS})
    elseif("EMULATE_AVX512" IN_LIST ARGN AND source MATCHES "_scalar\\.cpp$")
      list(APPEND flags -mfma)  # the same bits as libm's fmaf, which takes most of the scalar kernels' time; kernels_test has them without
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
  endforeach()
endfunction()
