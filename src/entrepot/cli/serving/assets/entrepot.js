// Uploads by button and by drag, and deletions. The server allows them because the requests come from its own page.
"use strict";

const upload = document.getElementById("upload");
const list = document.getElementById("uploads");

function send(method, url, headers, body, progressed) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("X-Entrepot", "1");
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => progressed?.(event.loaded, event.total);
    request.onload = () => resolve(request);
    request.onerror = () => resolve(request);
    request.send(body);
  });
}

function messageOf(request) {
  try {
    return JSON.parse(request.responseText).error;
  } catch {
    return request.status === 0 ? "The connection was lost." : `The server answered ${request.status}.`;
  }
}

async function exists(url) {
  return (await send("HEAD", url, {}, null)).status === 200;
}

async function store(file) {
  const url = upload.dataset.url + encodeURIComponent(file.name);
  const item = list.appendChild(document.createElement("li"));
  const bar = item.appendChild(document.createElement("progress"));
  const text = item.appendChild(document.createElement("span"));
  text.textContent = file.name;
  bar.value = 0;
  const isExclusive = "exclusive" in upload.dataset;
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  const progressed = (loaded, total) => { bar.max = total || 1; bar.value = loaded; };
  const question = `${file.name} exists. Replace it?`;
  let request = null;
  if (isExclusive) {
    request = await send("PUT", url, { ...headers, "If-None-Match": "*" }, file, progressed);
  } else if (await exists(url) && !confirm(question)) {
    item.remove();
    return true;
  }
  if (request === null || (request.status === 412 && confirm(question))) {
    request = await send("PUT", url, headers, file, progressed);
  }
  bar.remove();
  const isStored = request.status === 201;
  item.classList.toggle("failed", !isStored);
  text.textContent = isStored ? `${file.name}: stored` : `${file.name}: ${messageOf(request)}`;
  return isStored;
}

async function storeAll(files) {
  const results = [];
  for (const file of [...files]) results.push(await store(file));
  if (results.length && results.every(Boolean)) location.reload();
}

if (upload) {
  document.getElementById("files").addEventListener("change", (event) => storeAll(event.target.files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    upload.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) upload.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    upload.classList.remove("over");
    storeAll(event.dataTransfer.files);
  });
}

for (const button of document.querySelectorAll("button.delete")) {
  button.addEventListener("click", async () => {
    if (!confirm(`Delete ${button.dataset.name}?`)) return;
    const request = await send("DELETE", button.dataset.url, {}, null);
    if (request.status === 204) button.closest("tr").remove();
    else alert(`${button.dataset.name}: ${messageOf(request)}`);
  });
}
