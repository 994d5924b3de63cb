document.querySelectorAll("table.sort").forEach(function(table){
 "use strict";
 var body=table.tBodies[0],heads=table.tHead.rows[0].cells;
 var units={B:0,KiB:1,MiB:2,GiB:3,TiB:4,PiB:5};
 function value(row,at){
  var text=row.cells[at].textContent.trim(),found=/^>?(-?[\d,]*\.?\d+)(?: (B|[KMGTP]iB|%))?/.exec(text);
  if(!found||!row.cells[at].classList.contains("n"))return text;
  return parseFloat(found[1].replace(/,/g,""))*Math.pow(1024,units[found[2]]||0);
 }
 Array.prototype.forEach.call(heads,function(head,at){
  var button=document.createElement("button");
  button.type="button";while(head.firstChild)button.appendChild(head.firstChild);head.appendChild(button);
  button.addEventListener("click",function(){
   var up=head.getAttribute("aria-sort")!=="ascending";
   Array.prototype.forEach.call(heads,function(other){other.removeAttribute("aria-sort");});
   head.setAttribute("aria-sort",up?"ascending":"descending");
   Array.prototype.slice.call(body.rows).sort(function(a,b){
    var x=value(a,at),y=value(b,at),order=typeof x===typeof y?(x<y?-1:x>y?1:0):typeof x==="number"?-1:1;
    return up?order:-order;
   }).forEach(function(row){body.appendChild(row);});
  });
 });
});
