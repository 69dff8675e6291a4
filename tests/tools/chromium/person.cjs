// What every flow in Chromium has: somebody who looks at a page from all sides, has a phone with an app, and reads mails.
// Each page must fit, have no fault that axe finds, show where the keyboard is, and say nothing in the console.
// NODE_PATH has playwright-core and axe-core. A flow is started with one argument, JSON: origin, user, password, script,
// whether the browser runs any, and pictures, a directory, if they are wanted. What a page looks like is the same without
// scripts, and only looked at with them.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const given = JSON.parse(process.argv[2]);
const { origin, pictures, script } = given;
const faults = [];
const desk = { width: 1280, height: 900 };
const phone = { width: 360, height: 740 };
const views = [{ ...desk, colorScheme: "light" }, { ...phone, colorScheme: "dark" }];
const viewsInChinese = [{ ...phone, colorScheme: "light" }];
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

function expect(condition, what) {
  if (!condition) throw new Error(what);
}

// Looks at the page as it is now, from all sides.
async function look(page, name, from = views) {
  for (const { width, height, colorScheme } of from) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) faults.push(`${name} at ${width}: ${wide} px too wide`);
    if (!script) continue;
    await page.evaluate(axe);
    const found = await page.evaluate((runOnly) => axe.run({ runOnly }), rules);
    for (const fault of found.violations) {
      faults.push(`${name} at ${width} ${colorScheme}: ${fault.id}: ${fault.help}: ${fault.nodes.map((node) => node.html).join(" ")}`);
    }
    if (pictures) await page.screenshot({ path: path.join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true });
  }
}

// The same in both languages, of a page that can be opened again.
async function both(page, name) {
  await look(page, name);
  if (!script) return;
  const at = page.url();
  const { pathname, search } = new URL(at);
  await page.goto(`${origin}/language/zh?back=${encodeURIComponent(pathname + search)}`);
  expect((await page.locator("html").getAttribute("lang")) === "zh-Hans", `${name} is in Chinese`);
  await look(page, `${name}-zh`, viewsInChinese);
  for (const text of await untranslated(page)) faults.push(`${name}: not in Chinese: ${text}`);
  await page.goto(`${origin}/language/en?back=${encodeURIComponent(pathname + search)}`);
  if (page.url() !== at) await page.goto(at);
}

// Texts without one Chinese character, but for those that are said to be English, and what people and programs are called.
function untranslated(page) {
  return page.evaluate(() => {
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const found = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const text = node.data.trim();
      if (!/[A-Za-z]{3,} [A-Za-z]{2,} [A-Za-z]{2,}/.test(text) || /[\u4e00-\u9fff]/.test(text)) continue;
      if (!node.parentElement.closest("[lang=en], [translate=no], code, input, h3")) found.push(text);
    }
    return found;
  });
}

// Goes through the whole page by the Tab key: each thing that it comes to is seen to be there.
async function keyboard(page, name) {
  if (!script) return;
  await page.evaluate(() => { document.activeElement.blur(); window.scrollTo(0, 0); });
  const seen = new Set();
  // It begins where the page put it, comes to the end, and goes on from the top.
  for (let ends = 0; ends < 2; ) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const it = document.activeElement;
      if (!it || it === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(it);
      const { width, height, left, right } = it.getBoundingClientRect();
      const number = Array.from(document.querySelectorAll("*")).indexOf(it);
      const shown = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && width > 0 && height > 0 && right > 0 && left < innerWidth;
      return { number, shown, html: it.outerHTML.slice(0, 120) };
    });
    if (!at) {
      ends += 1;
      continue;
    }
    if (seen.has(at.number)) break;
    seen.add(at.number);
    if (!at.shown) faults.push(`${name}: the keyboard is not seen at ${at.html}`);
  }
  const reachable = await page.locator("a[href]:visible, button:visible, input:not([type=hidden]):visible, select:visible, summary:visible").count();
  if (seen.size < reachable) faults.push(`${name}: the keyboard comes to ${seen.size} of ${reachable} things`);
}

// A picture for the README: small, of what fits on the screen.
async function portrait(page, name, { width, height, colorScheme }) {
  if (!pictures || !script) return;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme });
  await page.evaluate(() => window.scrollTo(0, 0));
  fs.mkdirSync(path.join(pictures, "readme"), { recursive: true });
  await page.screenshot({ path: path.join(pictures, "readme", `${name}.png`), caret: "hide" });
}

function listen(page) {
  page.on("console", (message) => {
    // What the browser itself says of a status that the page meant.
    const meant = /the server responded with a status of 4(01|04|22)/.test(message.text());
    if (message.type() === "error" && !meant) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error}`));
  // A page that is left at once does not wait for its icon.
  page.on("requestfailed", (request) => request.url().endsWith(".svg") || faults.push(`request: ${request.url()}: ${request.failure().errorText}`));
}

// What the app shows, so many steps from now.
function code(key, steps) {
  const at = Math.floor(Date.now() / 1000) + 30 * steps;
  return execFileSync("oathtool", ["--totp", "--base32", `--now=@${at}`, key]).toString().trim();
}

// Proves the device whose key is shown, by the code of the step before: the present one stays good for what follows.
async function prove(page, key) {
  for (;;) {
    const typed = code(key, -1);
    await page.getByLabel("Code from the new device").fill(typed);
    const [reply] = await Promise.all([
      page.waitForResponse((reply) => reply.request().method() === "POST"),
      page.keyboard.press("Enter"),
    ]);
    if (reply.status() === 303) return;
    // A step may have ended on the way.
    expect(typed !== code(key, -1), "the code is accepted");
  }
}

async function signIn(page, user = given.user) {
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel("User name").fill(user);
  await page.getByLabel("Password").fill(given.password);
  await page.keyboard.press("Enter");
}

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// The code out of the next mail with this text; the mail server is whose child this is.
async function mailed(text) {
  console.log(`mail: ${text}`);
  return (await lines.next()).value;
}

async function opened(browser, options) {
  const context = await browser.newContext({ locale: "en-GB", javaScriptEnabled: script, ...options });
  const page = await context.newPage();
  listen(page);
  return { context, page };
}

// Runs a flow, and says what is wrong.
function run(flow) {
  const launched = chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--disable-gpu"] });
  launched
    .then(flow)
    .catch((error) => faults.push(String(error.stack)))
    .finally(() => {
      faults.forEach((fault) => console.log(fault));
      process.exit(faults.length ? 1 : 0);
    });
}

module.exports = { both, code, desk, expect, given, keyboard, look, mailed, opened, origin, phone, portrait, prove, run, script, signIn };
