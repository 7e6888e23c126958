# Filled in with lib/core: library, public headers, CoveyConfig.cmake, covey.pc, programs.
