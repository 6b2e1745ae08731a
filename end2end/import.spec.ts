// CSV files through the page: upload, map, try, mend, import, and once more; with JavaScript and without.
import { expect, type Page } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { alive, signIn, test, unique } from "./support";

const csv = (name: string, ...rows: string[]) => ({ name, mimeType: "text/csv", buffer: Buffer.from(`${rows.join("\n")}\n`) });

async function upload(page: Page, js: boolean, files: Record<string, ReturnType<typeof csv>>) {
  await page.goto("/import");
  await alive(page, js);
  for (const [label, file] of Object.entries(files)) await page.getByLabel(label, { exact: true }).setInputFiles(file);
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page).toHaveURL(/\/import\?upload=/);
  await alive(page, js);
}

test("customers, orders and lines are uploaded, mapped, tried, mended and imported, and a second time change nothing", async ({ page, js }) => {
  const tag = unique("I").replaceAll(" ", "-");
  const [anna, bert] = [`${tag}-A`, `${tag}-B`];
  const name = `Anna & <Söhne> ${tag}`;
  const files = {
    Customers: csv("people.csv", "code,Company,city", `${anna},"${name}",Zürich`, `${bert},Bert,Graz`),
    Orders: csv("orders.csv", "number,customer_code,order_date,shipped_date", `${tag}-1,${anna},2026-01-02,2026-01-05`, `${tag}-2,${bert},2026-01-03,`),
    "Order lines": csv("lines.csv", "order_number,sku,quantity,unit_price", `${tag}-1,BEV-001,2,10`, `${tag}-1,BEV-003,1,5.50`, `${tag}-2,BEV-001,3,10`),
  };
  const goes = (column: string) => page.getByLabel(`Where ${column} goes`, { exact: true });
  const check = page.getByRole("button", { name: "Check without writing" });

  await signIn(page, js, "mira", "/customers");
  await page.getByRole("link", { name: "Import", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Import" })).toBeVisible();
  const dirty = csv("orders.csv", "number,customer_code,order_date,shipped_date", `${tag}-1,${anna},2026-01-02,yesterday`, `${tag}-2,${bert},2026-01-03,`);
  await upload(page, js, { ...files, Orders: dirty });
  await expect(page.getByRole("heading", { level: 1, name: "Map the columns" })).toBeVisible();
  await expect(page.getByRole("row", { name: /Company/ })).toContainText(name);
  await expect(goes("code")).toHaveValue("code");
  await expect(goes("Company")).toHaveValue("");
  await expect(goes("shipped_date")).toHaveValue("shipped_date");

  await check.click();
  await expect(page.getByRole("alert")).toContainText("2 problems");
  const problem = (file: string, row: string) => page.getByRole("row").filter({ hasText: file }).filter({ has: page.getByRole("cell", { name: row, exact: true }) });
  await expect(problem("people.csv", "1")).toContainText("No column goes to name.");
  await expect(problem("orders.csv", "2")).toContainText("shipped_date");
  await expect(problem("orders.csv", "2")).toContainText("Enter a day such as");
  await expect(page.getByRole("button", { name: "Import", exact: true })).toHaveCount(0);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download them as CSV" }).click();
  expect((await download).suggestedFilename()).toBe("problems.csv");
  const report = await readFile(await (await download).path(), "utf8");
  expect(report).toContain("file,row,column,message\r\n");
  expect(report).toContain("orders.csv,2,shipped_date,");

  // A choice is mended on the page, a file by another upload.
  await goes("Company").selectOption("name");
  await check.click();
  await expect(page.getByRole("alert")).toContainText("1 problem:");
  await expect(goes("Company")).toHaveValue("name");
  await expect(problem("people.csv", "1")).toHaveCount(0);
  const complete = async () => {
    await upload(page, js, files);
    await goes("Company").selectOption("name");
    await goes("city").selectOption("billing_city");
    await check.click();
    await expect(page.getByRole("status")).toContainText("Nothing is written yet.");
  };
  await complete();
  const counts = (kind: string) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: kind }) }).getByRole("cell");
  await expect(counts("Customers")).toHaveText(["2", "0", "0"]);
  await expect(counts("Order lines")).toHaveText(["3", "0", "0"]);
  const done = page.url();
  await page.goto(`/customers?search=${encodeURIComponent(anna)}`);
  await expect(page.getByText("No customers match.")).toBeVisible();
  await page.goto(done);
  await alive(page, js);
  // The work goes on beside the page, which follows it by itself.
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await expect(page.getByRole("status")).toContainText("Everything was imported");
  await expect(page.getByRole("heading", { level: 1, name: "Imported" })).toBeVisible();
  await expect(page.getByRole("status").getByRole("button", { name: "Undo" })).toBeVisible();

  await page.getByRole("rowheader", { name: "Customers" }).getByRole("link").click();
  await expect(page).toHaveURL(/\/customers/);
  await page.goto(`/customers?search=${encodeURIComponent(anna)}`);
  await page.getByRole("link", { name }).click();
  await expect(page.getByText("Zürich").first()).toBeVisible();
  await page.goto(`/orders?search=${encodeURIComponent(`${tag}-1`)}`);
  await page.getByRole("link", { name: `${tag}-1`, exact: true }).click();
  await expect(page.locator(".head .badge")).toHaveText("Shipped");
  await expect(page.locator(".lines tbody tr")).toHaveCount(2);
  await expect(page.getByRole("term").filter({ hasText: "Subtotal" }).locator("xpath=following-sibling::dd[1]")).toHaveText("25.50");

  await complete();
  await expect(counts("Customers")).toHaveText(["0", "0", "2"]);
  await expect(counts("Orders")).toHaveText(["0", "0", "2"]);
  await expect(counts("Order lines")).toHaveText(["0", "0", "3"]);
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await expect(page.getByRole("status")).toContainText("Everything was imported");
  await expect(counts("Customers")).toHaveText(["0", "0", "2"]);
});

test("an upload that is not wanted any more is removed", async ({ page, js }) => {
  await signIn(page, js, "mira", "/import");
  const name = `${unique("R").replaceAll(" ", "-")}.csv`;
  await upload(page, js, { Customers: csv(name, "code,name", "A,Anna") });
  await page.goto("/import");
  await alive(page, js);
  await expect(page.getByRole("link", { name })).toBeVisible();
  await page.getByRole("button", { name: `Remove ${name}` }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Import" })).toBeVisible();
  await expect(page.getByRole("link", { name })).toHaveCount(0);
});

test("what is no CSV file is refused by its name, and so is an upload without files", async ({ page, js }) => {
  await signIn(page, js, "mira", "/import");
  const send = page.getByRole("button", { name: "Upload" });
  const refused = page.getByRole("alert");
  await send.click();
  await expect(refused).toContainText("Choose at least one file.");
  const workbook = { name: "customers.xlsx", mimeType: "application/octet-stream", buffer: Buffer.from("PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00\xff\xfe", "latin1") };
  for (const [file, said] of [
    [workbook, "customers.xlsx: This is not a CSV file."],
    [csv("empty.csv", ""), "empty.csv: The file is empty."],
    [{ ...workbook, name: "utf16.csv", buffer: Buffer.from("\ufeffcode,name\n", "utf16le") }, "utf16.csv: The file is UTF-16. Save it as CSV UTF-8."],
  ] as const) {
    await page.goto("/import");
    await alive(page, js);
    await page.getByLabel("Customers", { exact: true }).setInputFiles(file);
    await send.click();
    await expect(refused).toContainText(said);
    await expect(page.getByLabel("Customers", { exact: true })).toBeVisible();
  }
});

test("an upload that is gone or somebody else's is said to be", async ({ page, js }) => {
  await signIn(page, js, "mira", "/import");
  expect((await page.goto("/import?upload=00000000-0000-0000-0000-000000000000"))?.status()).toBe(404);
  await expect(page.getByRole("alert")).toContainText("files are kept for a day");
  await page.context().clearCookies();
  await signIn(page, js, "vera", "/customers");
  await expect(page.getByRole("link", { name: "Import", exact: true })).toHaveCount(0);
  expect((await page.goto("/import"))?.status()).toBe(403);
});
