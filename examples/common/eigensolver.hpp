/// What Eigen takes longest to compile of what the library uses, compiled once for all programs.
#pragma once

#include <coldzoom/metrics/frechet.hpp>

extern template Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>& Eigen::SelfAdjointEigenSolver<
    Eigen::MatrixXd>::compute<Eigen::MatrixXd>(const Eigen::EigenBase<Eigen::MatrixXd>&, int);
