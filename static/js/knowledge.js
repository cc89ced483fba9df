// Upload of files to a knowledge base: one request each, so that each has its own progress and reason.
const AT_ONCE = 2;

for (const form of document.querySelectorAll("form[data-upload]")) {
  const input = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-uploads]");
  const template = form.querySelector("[data-upload-row]");
  const waiting = [];
  let running = 0;

  const add = (files) => {
    for (const file of files) {
      const row = template.content.firstElementChild.cloneNode(true);
      row.querySelector("[data-file]").textContent = file.name;
      row.querySelector("progress").setAttribute("aria-label", `Upload of ${file.name}`);
      list.append(row);
      if (file.size > Number(form.dataset.maxBytes)) end(row, `Larger than ${form.dataset.maxText}.`);
      else if (file.size === 0) end(row, "The file is empty.");
      else waiting.push([file, row]);
    }
    input.value = "";
    sendNext();
  };

  const sendNext = () => {
    while (running < AT_ONCE && waiting.length) send(...waiting.shift());
  };

  const send = (file, row) => {
    const body = new FormData();
    body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    body.append("files", file);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      row.querySelector("progress").value = (100 * loaded) / total;
      row.querySelector("[data-state]").textContent = loaded < total ? "Uploading" : "Checking";
    });
    request.addEventListener("loadend", () => {
      running -= 1;
      end(row, errorOf(request));
      sendNext();
      if (!running) document.querySelector("[data-refresh]")?.dispatchEvent(new Event("refresh"));
    });
    running += 1;
    request.send(body);
  };

  // The text of a refusal; "" if the file was added. Whatever else came back is no JSON of ours.
  const errorOf = (request) => {
    if (request.status === 201) return "";
    if (request.status === 413) return `Larger than ${form.dataset.maxText}.`;
    try {
      return JSON.parse(request.responseText).error || "Not uploaded. Try again.";
    } catch {
      return "Not uploaded. Check your connection and try again.";
    }
  };

  const end = (row, error) => {
    const state = row.querySelector("[data-state]");
    row.querySelector("progress").remove();
    state.textContent = error || "Added";
    state.className = error ? "bad" : "good";
  };

  input.addEventListener("change", () => add([...input.files]));
  // A file may be dropped anywhere on the page: beside the form the browser would open it instead.
  const onFiles = (type, handler) =>
    addEventListener(type, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      handler(event);
    });
  onFiles("dragover", () => form.classList.add("dragging"));
  onFiles("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) form.classList.remove("dragging"); // it has left the page
  });
  onFiles("drop", ({ dataTransfer }) => {
    form.classList.remove("dragging");
    add([...dataTransfer.files]);
  });
  addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault(); // the browser asks whether to leave
  });
}
