// How the browser is started: Debian's Chromium, or the one that CHROMIUM names.

export const launchOptions = {
  // Machines that are busy with something else start it slowly.
  timeout: 120_000,
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    // Containers have no sandbox for it, little shared memory, and no GPU.
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--disable-background-networking',
  ],
};
