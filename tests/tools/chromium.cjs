// A person with a real browser: protection is turned on by what the camera would see, used, and turned off again. Every
// page on the way is looked at on a phone and on a desk, in light and dark: it must fit, have no fault that axe finds, and
// nothing in the console. NODE_PATH has playwright-core and axe-core.
// usage: node chromium.cjs ORIGIN USER PASSWORD [DIRECTORY for pictures]
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [origin, user, password, pictures] = process.argv.slice(2);
const faults = [];
const views = [
  { width: 1280, height: 900, colorScheme: "light" },
  { width: 360, height: 740, colorScheme: "dark" },
  { width: 360, height: 740, colorScheme: "light" },
  { width: 1280, height: 900, colorScheme: "dark" },
];

function expect(condition, what) {
  if (!condition) throw new Error(what);
}

// Looks at the page as it is now, from all sides.
async function look(page, name) {
  for (const [number, { width, height, colorScheme }] of views.entries()) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) faults.push(`${name} at ${width}: ${wide} px too wide`);
    if (number < 2) {
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      for (const fault of found.violations) {
        faults.push(`${name} at ${width} ${colorScheme}: ${fault.id}: ${fault.help}: ${fault.nodes.map((node) => node.html).join(" ")}`);
      }
    }
    if (pictures) await page.screenshot({ path: path.join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true });
  }
}

function listen(page) {
  page.on("console", (message) => {
    // What the browser itself says of a status that the page meant.
    const meant = /the server responded with a status of 4(01|22)/.test(message.text());
    if (message.type() === "error" && !meant) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error}`));
  page.on("requestfailed", (request) => faults.push(`request: ${request.url()}: ${request.failure().errorText}`));
}

function code(key, steps) {
  const at = Math.floor(Date.now() / 1000) + 30 * steps;
  return execFileSync("oathtool", ["--totp", "--base32", `--now=@${at}`, key]).toString().trim();
}

async function signIn(page) {
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel("User name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
}

async function turnOn(page) {
  await page.getByRole("link", { name: "Turn on protection" }).click();
  await look(page, "turn-on");
  await page.getByRole("button", { name: "Continue" }).click();
  await look(page, "add-device");
  await page.getByLabel("Name of the device").fill("Phone");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("summary").click();
  await look(page, "scan");
  const shot = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "otpd-qr-")), "qr.png");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("#qr").screenshot({ path: shot });
  const seen = execFileSync("zbarimg", ["-q", "--raw", shot]).toString().trim();
  fs.rmSync(path.dirname(shot), { recursive: true });
  expect(seen.startsWith("otpauth://totp/"), `the camera sees ${seen}`);
  const key = new URL(seen).searchParams.get("secret");
  const shown = (await page.locator("#key").textContent()).replace(/\s/g, "");
  expect(shown === key, `the key beside it is ${shown}, the picture has ${key}`);
  expect(/left$/.test(await page.locator(".countdown").textContent()), "the countdown counts");
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  expect((await page.evaluate(() => navigator.clipboard.readText())) === key, "the key was copied");
  await page.getByLabel("Code from the new device").fill("000000");
  await page.getByRole("button", { name: "Bind this device" }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "scan-wrong");
  await page.getByLabel("Code from the new device").fill(code(key, -1));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Save your recovery codes" }).waitFor();
  await look(page, "codes");
  return key;
}

async function saveCodes(page) {
  const codes = await page.locator(".codes code").allTextContents();
  expect(codes.length === 10, `${codes.length} recovery codes`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  const sheet = fs.readFileSync(await download.path(), "utf8");
  expect(codes.every((one) => sheet.includes(one)), "all codes are in the file");
  const label = page.getByLabel(/last four characters of code/);
  const number = Number(/code (\d+)/.exec(await page.locator("label[for=group]").textContent())[1]);
  await page.getByLabel("I have saved them").check();
  await label.fill(codes[number - 1].slice(-4));
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("heading", { level: 1, name: "Login protection is on" }).waitFor();
  await look(page, "protected");
}

async function pages(page) {
  for (const act of ["rename-device?id=1", "replace-device?id=1", "remove-device?id=1", "resync-device?id=1", "new-codes", "turn-off"]) {
    await page.goto(`${origin}/account/${act}`);
    await look(page, act.split("?")[0]);
  }
}

async function chinese(browser) {
  const context = await browser.newContext({ locale: "zh-CN" });
  const page = await context.newPage();
  listen(page);
  await page.goto(`${origin}/sign-in`);
  expect((await page.locator("h1").textContent()).startsWith("登录"), "the page is in Chinese");
  await look(page, "sign-in-zh");
  await page.getByLabel("用户名").fill(user);
  await page.getByLabel("密码").fill(password);
  await page.keyboard.press("Enter");
  await page.getByLabel("应用中的验证码").waitFor();
  await look(page, "code-zh");
  await context.close();
}

async function main() {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--disable-gpu"] });
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], acceptDownloads: true, locale: "en-GB" });
  const page = await context.newPage();
  listen(page);
  await page.goto(`${origin}/sign-in`);
  await look(page, "sign-in");
  await signIn(page);
  await page.getByRole("heading", { name: "Login protection is off" }).waitFor();
  for (const cookie of await context.cookies()) {
    expect(cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict" && cookie.name.startsWith("__Host-"), `the cookie ${cookie.name}`);
  }
  await look(page, "account-off");
  const key = await turnOn(page);
  await saveCodes(page);
  await page.getByRole("link", { name: "To the account page" }).click();
  await look(page, "account-on");
  await pages(page);
  await page.goto(`${origin}/no-such-page`).catch(() => {});
  faults.splice(0, faults.length, ...faults.filter((fault) => !fault.includes("status of 404")));
  await look(page, "not-found");
  await page.goto(`${origin}/account`);
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByText("You have signed out").waitFor();

  await signIn(page);
  const field = page.getByLabel("Code from your app");
  expect((await field.getAttribute("autocomplete")) === "one-time-code", "phones fill the code in");
  expect(await field.evaluate((input) => input === document.activeElement), "the field is where one types");
  await page.locator("summary").click();
  await look(page, "code");
  await page.getByRole("link", { name: "Use a recovery code" }).click();
  await look(page, "code-recovery");
  await page.getByRole("link", { name: "Use the code from your app" }).click();
  await field.fill("000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await look(page, "wrong-code");
  await signIn(page);
  await field.fill(code(key, 0));
  await page.keyboard.press("Enter");
  await page.getByText("You signed in with Phone").waitFor();
  await chinese(browser);
  await page.getByRole("link", { name: "Turn off…" }).click();
  await page.getByLabel("Code from your app").fill(code(key, 1));
  await page.getByRole("button", { name: "Turn protection off" }).click();
  await page.getByRole("status").waitFor();
  await page.getByRole("heading", { name: "Login protection is off" }).waitFor();
  await browser.close();
}

main()
  .catch((error) => faults.push(String(error.stack)))
  .finally(() => {
    faults.forEach((fault) => console.log(fault));
    process.exit(faults.length ? 1 : 0);
  });
