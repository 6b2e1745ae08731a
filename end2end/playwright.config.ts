import { defineConfig } from "@playwright/test";

const port = Number(process.env.KONTOR_E2E_PORT ?? 3939);

export default defineConfig({
  testDir: ".",
  outputDir: "test-results",
  // Patient enough for a machine that does something else beside.
  timeout: 120_000,
  expect: { timeout: 15_000 },
  workers: 2,
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"]],
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "with JavaScript", use: { javaScriptEnabled: true } },
    { name: "without JavaScript", use: { javaScriptEnabled: false } },
  ],
  webServer: {
    command: "node serve.mjs",
    url: `http://127.0.0.1:${port}/readyz`,
    reuseExistingServer: false,
    env: { KONTOR_E2E_PORT: String(port), KONTOR_PROGRAM: process.env.KONTOR_PROGRAM ?? "" },
    timeout: 60_000,
  },
});
