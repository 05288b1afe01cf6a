// How the browser is started: Debian's Firefox, or the one that FIREFOX names.

export const launchOptions = {
  browser: 'firefox',
  executablePath: process.env.FIREFOX || '/usr/bin/firefox-esr',
  // Machines that are busy with something else start it slowly.
  timeout: 120_000,
};
