# Installs Chromium where that can be done without asking anybody. Otherwise says what to do, and is no failure.

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "No Chromium: the browser tests will be skipped. To have them, run: sudo apt install chromium"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "No Chromium: the browser tests will be skipped. To have them, install it with your package manager."
    exit 0
fi

echo "Installing Chromium for the browser tests ..."
if ! { $as_root apt-get -qq update &&
       DEBIAN_FRONTEND=noninteractive $as_root apt-get -qq install -y --no-install-recommends chromium; } >/dev/null 2>&1
then
    echo "Chromium could not be installed by apt-get: the browser tests will be skipped."
fi
