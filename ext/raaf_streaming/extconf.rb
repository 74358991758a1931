# frozen_string_literal: true

# Configures the build of the native part. Understands
#   --enable-asan, --enable-tsan   or RAAF_SANITIZE=address|thread   sanitizer builds
#   RAAF_DEV=1                                                       warnings are errors
require "mkmf"

LIBRARIES = {
  "libcurl" => {minimum: "7.87", header: "curl/curl.h", symbol: "curl_multi_wakeup"},
  "yajl" => {minimum: "2.1", header: "yajl/yajl_parse.h", symbol: "yajl_complete_parse"}
}.freeze

INSTALL_HELP = <<~TEXT
  raaf-streaming needs libcurl 7.87 or newer, yajl 2.1 or newer, and pkg-config to find them:

    Debian, Ubuntu   apt-get install libcurl4-openssl-dev libyajl-dev pkg-config
    Fedora, RHEL     dnf install libcurl-devel yajl-devel pkgconf-pkg-config
    Alpine           apk add curl-dev yajl-dev pkgconf
    Arch             pacman -S curl yajl pkgconf
    FreeBSD          pkg install curl yajl pkgconf
    macOS, Homebrew  brew install curl yajl pkg-config
                     export PKG_CONFIG_PATH="$(brew --prefix curl)/lib/pkgconfig"

  Then install the gem again. Where a library stands in an unusual place, PKG_CONFIG_PATH names the folder of its .pc file.
TEXT

# By exit!, because mkmf's at_exit would bury the message under a list of its options.
def give_up(reason)
  $stdout.flush
  warn "\n#{reason}\n\n#{INSTALL_HELP}"
  exit!(1)
end

# mkmf's own pkg_config adds the flags, but knows nothing of versions and fails in silence.
def require_library(name, minimum:, header:, symbol:)
  give_up("pkg-config was not found.") unless find_executable(ENV.fetch("PKG_CONFIG", "pkg-config"))
  version = pkg_config(name, "modversion") or give_up("#{name} was not found by pkg-config.")
  if Gem::Version.new(version) < Gem::Version.new(minimum)
    give_up("#{name} #{version} is too old: #{minimum} or newer is needed.")
  end
  pkg_config(name) or give_up("pkg-config gave no flags for #{name}.")
  add_parent_of_include_folder(name) unless try_cpp(cpp_include(header))
  usable = checking_for("#{symbol} in #{name} #{version}") { try_func(symbol, "", [header]) }
  give_up("#{name} #{version} was found, but a program that uses it does not build (see mkmf.log).") unless usable
end

# Some yajl.pc name .../include/yajl, while the header is included as <yajl/...>: under a prefix the compiler does not
# search by itself (Homebrew, FreeBSD) that does not work.
def add_parent_of_include_folder(name)
  folder = pkg_config(name, "variable=includedir")
  $INCFLAGS << " -I#{File.dirname(folder)}" if folder && !folder.empty?
end

def sanitizer
  return "address" if enable_config("asan", false)
  return "thread" if enable_config("tsan", false)

  ENV["RAAF_SANITIZE"].to_s.then { |name| name unless name.empty? }
end

def set_compiler_flags
  # Ruby's own headers are not ours to warn about.
  $INCFLAGS.gsub!(/-I(?=\$\((?:arch_)?hdrdir\))/, "-isystem ")
  # The same language the core's own tests are built with (test/c/Makefile).
  $CFLAGS << " -std=gnu11 -fvisibility=hidden -pthread -O2"
  # Added by hand, and here: Debian's CFLAGS leave $warnflags out, and the mkmf of Ruby 3.1 refuses
  # append_cflags("-Wextra") without a word and turns on a warning that is for C89.
  $CFLAGS << " -Wall -Wextra -Wno-unused-parameter -Wno-declaration-after-statement"
  $CFLAGS << " -Werror" if ENV["RAAF_DEV"] == "1"
  $defs << "-D_GNU_SOURCE=1"
end

def stack_unwatched
  ["--param asan-stack=0", "-mllvm -asan-stack=0"].find { |flags| try_cflags("#{flags} -fsanitize=address") }
end

def set_sanitizer_flags(name)
  flags = {"address" => "address,undefined", "thread" => "thread"}.fetch(name) do
    abort "RAAF_SANITIZE is #{name.inspect}: address and thread are known."
  end
  $CFLAGS << " -g -O1 -fno-omit-frame-pointer -fsanitize=#{flags} -U_FORTIFY_SOURCE"
  # Ruby leaves C functions by longjmp, which ASAN does not see: their stack variables would stay marked as not to be
  # touched, and the next to use that part of the stack is accused. The heap is watched; the C tests watch both.
  $CFLAGS << " -fno-sanitize-recover=undefined #{stack_unwatched}" if name == "address"
  $DLDFLAGS << " -fsanitize=#{flags}"
end

LIBRARIES.each { |name, wanted| require_library(name, **wanted) }
$defs << "-DRAAF_EXTCONF=1" # what was found here decides, not the compiler's own look
have_header("sys/epoll.h")
have_header("sys/eventfd.h")
have_func("pthread_setname_np", "pthread.h")
# After the checks: mkmf's test programs have warnings, and a sanitizer that cannot start would fail them all.
set_compiler_flags
sanitizer&.then { |name| set_sanitizer_flags(name) }

# The bindings stand beside this file, the pure C core in core/; both end in one library.
$srcs = Dir.glob(File.join(__dir__, "{.,core}", "*.c")).map { |path| File.basename(path) }.sort
$VPATH << "$(srcdir)/core"
$INCFLAGS << " -I$(srcdir)/core"
# Each object remembers the headers it was made from; mkmf alone looks at none in core/.
$CFLAGS << " -MMD -MP"
$cleanfiles << "*.d"

create_makefile("raaf/streaming/raaf_streaming")
File.write("Makefile", "\n-include $(OBJS:.o=.d)\n", mode: "a")
