// Serves /www/body to everyone who asks: reads a block, and writes it. node serve.js PORT

"use strict";

const fs = require("node:fs");
const net = require("node:net");

const PATH = "/www/body";
const SIZE = fs.statSync(PATH).size;
const BLOCK = 65536;

function copyFirst(socket, file) {
  for (let at = 0; at < SIZE / 2; at += BLOCK) {
    const block = Buffer.allocUnsafe(BLOCK);
    socket.write(block.subarray(0, fs.readSync(file, block, 0, BLOCK, at)));
  }
}

function copySecond(socket, file) {
  for (let at = SIZE / 2; at < SIZE; at += BLOCK) {
    const block = Buffer.allocUnsafe(BLOCK);
    socket.write(block.subarray(0, fs.readSync(file, block, 0, BLOCK, at)));
  }
}

const server = net.createServer((socket) => {
  // What the socket does not take at once, libuv would write later, on nobody's behalf.
  socket._handle.setBlocking(true);
  socket.once("data", () => {
    const file = fs.openSync(PATH);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
    copyFirst(socket, file);
    copySecond(socket, file);
    fs.closeSync(file);
    socket.end();
  });
});
server.listen(Number(process.argv[2]));
