# Debian packages found where apt puts them; PyPI wheels found in .deps, where scripts/setup.sh
# unpacks the pinned versions.
set(OVENBIRD_DEPS ${PROJECT_SOURCE_DIR}/.deps CACHE PATH "Where scripts/setup.sh put the wheels")

find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(CURL 7.88 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(pugixml REQUIRED IMPORTED_TARGET pugixml)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)

find_package(OpenVINO 2026.4.1 EXACT REQUIRED COMPONENTS Runtime
  PATHS ${OVENBIRD_DEPS}/openvino/openvino/cmake NO_DEFAULT_PATH)
