// Options for starting Firefox: the one that FIREFOX names, or that of Debian.

export const launchOptions = {
  browser: 'firefox',
  executablePath: process.env.FIREFOX || '/usr/bin/firefox-esr',
  // Busy machines start it slowly.
  timeout: 120_000,
};
