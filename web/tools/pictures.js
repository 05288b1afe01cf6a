// Takes the pictures of the demo for the documentation: `node tools/pictures.js`.

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

import { demoFiles } from '../demo/serve.js';
import { TestServer } from './server.js';
import { launchOptions } from './chromium.js';

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const PORT = 8080;
const MARGIN = 16;

/** Takes a picture from the top of one element to the bottom of another. */
async function take(page, name, first, last = first) {
  const [top, bottom] = await Promise.all([first, last].map((selector) => page.locator(selector).boundingBox()));
  const { x, width } = bottom;
  const clip = {
    x: x - MARGIN, y: top.y - MARGIN, width: width + 2 * MARGIN, height: bottom.y + bottom.height - top.y + 2 * MARGIN,
  };
  await page.screenshot({ path: `${FOLDER}${name}.png`, clip });
}

/** Shows the exponents of a tensor. */
async function choose(page, name) {
  await page.getByRole('button', { name }).click();
  await page.locator('#details svg').waitFor();
}

await mkdir(FOLDER, { recursive: true });
const server = await new TestServer(await demoFiles()).listen(PORT);
const browser = await chromium.launch(launchOptions);
try {
  const page = await browser.newPage({ viewport: { width: 860, height: 1600 } });
  await page.goto(`${server.url}/demo/`);
  await page.locator('#samples button').first().click();
  await page.getByText(/gzip at/).waitFor();
  await take(page, 'browser-sizes', '#work', '#types-section');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByText(/Opened with/).waitFor();
  await choose(page, 'query.bias');
  await page.keyboard.press('Escape');
  await take(page, 'browser-ranges', '#remote', '#work');
  await page.emulateMedia({ colorScheme: 'dark' });
  await choose(page, 'query.weight');
  await page.evaluate(() => document.activeElement.blur());
  await take(page, 'browser-exponents', '#details');
} finally {
  await browser.close();
  await server.close();
}
