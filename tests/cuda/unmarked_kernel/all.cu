// One unit, for nvcc takes long and names every mistake of a unit.
#include "degradation.cu"
#include "helper.cu"
#include "interpolation.cu"
#include "kernel.cu"
