(function(){
"use strict";
var svg=document.querySelector("svg.zf"),group=svg.querySelector("g.bars");
svg.setAttribute("role","group");
var left=+group.dataset.left,room=+group.dataset.width,letter=+group.dataset.letter,ns=svg.namespaceURI;
var bars=Array.prototype.map.call(group.querySelectorAll("g.b"),function(g){
 return{g:g,x:+g.dataset.x,w:+g.dataset.w,text:g.querySelector("title").textContent.split("\n")[0],
  all:g.querySelector("title").textContent.split("\n").slice(0,2).join(" ").toLowerCase()};});
function place(bar,x,w){
 var from=Math.max(0,(bar.x-x)/w),to=Math.min(1,(bar.x+bar.w-x)/w),off=to-from<1e-6||to<=0||from>=1;
 bar.g.classList.toggle("off",off);
 bar.g.classList.toggle("up",bar.w>w*1.000001);
 if(off)return;
 var px=left+from*room,pw=(to-from)*room,fits=Math.floor((pw-6)/letter),text=bar.g.querySelector("text");
 bar.g.querySelectorAll("rect").forEach(function(r){r.setAttribute("x",px);r.setAttribute("width",pw);});
 if(!text){text=document.createElementNS(ns,"text");
  text.setAttribute("y",+bar.g.querySelector("rect").getAttribute("y")+13);bar.g.appendChild(text);}
 text.setAttribute("x",px+3);
 text.textContent=bar.text.length<=fits?bar.text:fits>=3?bar.text.slice(0,fits-1)+"\u2026":"";
}
function zoom(x,w){bars.forEach(function(bar){place(bar,x,w);});}
function whole(){zoom(0,1);}
bars.forEach(function(bar){
 if(bar.w>.02){bar.g.setAttribute("tabindex","0");bar.g.setAttribute("role","button");}
 bar.g.addEventListener("click",function(){zoom(bar.x,bar.w);});
 bar.g.addEventListener("keydown",function(e){if(e.key==="Enter")zoom(bar.x,bar.w);});
});
var first=bars.length?+bars[0].g.querySelector("rect").getAttribute("y"):60;
var box=document.createElementNS(ns,"foreignObject");
[["x",left],["y",first-32],["width",260],["height",26]].forEach(function(a){box.setAttribute(a[0],a[1]);});
var input=document.createElementNS("http://www.w3.org/1999/xhtml","input");
input.type="search";input.placeholder="Search frames";input.setAttribute("aria-label","Search frames");
box.appendChild(input);svg.appendChild(box);
var said=document.createElementNS(ns,"text");
said.setAttribute("class","s found");said.setAttribute("x",left+272);said.setAttribute("y",first-14);
said.setAttribute("aria-live","polite");
var usual="Click a frame to zoom, Escape for all";said.textContent=usual;svg.appendChild(said);
input.addEventListener("input",function(){
 var word=input.value.toLowerCase(),sum=0,end=-1,count=0;
 bars.forEach(function(bar){
  var hit=word!==""&&bar.all.indexOf(word)>=0;
  bar.g.classList.toggle("hit",hit);
  if(hit){count++;if(bar.x>=end-1e-9){sum+=bar.w;end=bar.x+bar.w;}}
 });
 var of=group.dataset.more?" of the "+bars.length.toLocaleString("en")+" drawn frames":count===1?" frame":" frames";
 said.textContent=word===""?usual:count+of+", "+(100*sum).toFixed(1)+" % of the bytes";
});
document.addEventListener("keydown",function(e){
 if(e.key==="Escape"){whole();}
 if(e.key==="/"&&e.target!==input){input.focus();e.preventDefault();}
});
})();
