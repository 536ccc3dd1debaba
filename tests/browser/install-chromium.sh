# Installs Chromium's headless shell where that can be done without asking anybody; the whole of Chromium where there is
# no such package. Otherwise says what to do, and is no failure.

give_up() {
    command -v chromium >/dev/null || echo "No Chromium: the browser tests will be skipped. To have them, $1"
    exit 0
}

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    give_up "run: sudo apt install chromium-headless-shell"
fi

command -v apt-get >/dev/null || give_up "install it with your package manager."

echo "Installing Chromium for the browser tests ..."
$as_root apt-get -qq update >/dev/null 2>&1
for package in chromium-headless-shell chromium; do
    command -v $package >/dev/null && exit 0
    DEBIAN_FRONTEND=noninteractive $as_root apt-get -qq install -y --no-install-recommends $package >/dev/null 2>&1 &&
        exit 0
done
give_up "install it: apt-get could not."
