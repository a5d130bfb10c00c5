/// Everything of coldzoom.hpp, and the CUDA backend. For units that nvcc compiles.
#pragma once

#include <coldzoom/backend/cuda/cuda_backend.cuh>
#include <coldzoom/coldzoom.hpp>
