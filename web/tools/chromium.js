// Options for starting Chromium: the one that CHROMIUM names, or that of Debian.

export const launchOptions = {
  // Busy machines start it slowly.
  timeout: 120_000,
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    // Containers lack a sandbox, a GPU and much shared memory.
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--disable-background-networking',
  ],
};
