/// Version, host/device marker and the instruction-set namespace. The only header with compiler switches.
#pragma once

#define COLDZOOM_VERSION_MAJOR 0
#define COLDZOOM_VERSION_MINOR 1
#define COLDZOOM_VERSION_PATCH 0
#define COLDZOOM_VERSION \
  (COLDZOOM_VERSION_MAJOR * 10000 + COLDZOOM_VERSION_MINOR * 100 + COLDZOOM_VERSION_PATCH)
#define COLDZOOM_VERSION_STRING "0.1.0"

#if __cplusplus < 202002L
#  error "coldzoom needs C++20: add -std=c++20"
#endif

/// Marks a function that runs on the host and, under nvcc, on the device as well.
#if defined(__CUDACC__)
#  define COLDZOOM_HD __host__ __device__
#else
#  define COLDZOOM_HD
#endif

/// Marks a function that kernels call and that calls a function of the user's. nvcc refuses that call where
/// the user's function lacks COLDZOOM_HD. From a COLDZOOM_HD function it would merely warn, and not even that
/// in the headers of an installed package.
#if defined(__CUDA_ARCH__)
#  define COLDZOOM_IN_KERNEL __device__
#else
#  define COLDZOOM_IN_KERNEL COLDZOOM_HD
#endif

/// Before a loop with a fixed number of turns that index values in registers: device compilers must unroll
/// it, and so must those of the host before they see that a loop around it fills the lanes of vectors.
#if defined(__CUDA_ARCH__)
#  define COLDZOOM_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#  define COLDZOOM_UNROLL
#else
#  define COLDZOOM_UNROLL _Pragma("GCC unroll 16")
#endif

/// Every name of the library lives in `coldzoom::inline COLDZOOM_ISA`. Units compiled with different vector
/// flags therefore define different symbols, so that a program that links both violates no one-definition
/// rule.
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#  if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
#    define COLDZOOM_ISA isa_avx512_amx
#    define COLDZOOM_MATRIX_UNIT 1
#  else
#    define COLDZOOM_ISA isa_avx512
#  endif
#  define COLDZOOM_VECTOR_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#  define COLDZOOM_ISA isa_avx2
#  define COLDZOOM_VECTOR_BYTES 32
#elif defined(__AVX2__)
#  define COLDZOOM_ISA isa_avx2_nofma
#  define COLDZOOM_VECTOR_BYTES 32
#elif defined(__AVX__)
#  define COLDZOOM_ISA isa_avx
#  define COLDZOOM_VECTOR_BYTES 32
#elif defined(__ARM_NEON)
#  define COLDZOOM_ISA isa_neon
#  define COLDZOOM_VECTOR_BYTES 16
#else
#  define COLDZOOM_ISA isa_generic
#  define COLDZOOM_VECTOR_BYTES 16
#endif

/// Whether the CPU has a unit for products of matrices that the library uses.
#ifndef COLDZOOM_MATRIX_UNIT
#  define COLDZOOM_MATRIX_UNIT 0
#endif
