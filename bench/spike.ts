import { convGeometry, sizeOf } from '../kernels/geometry.js';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import * as simd from '../kernels/conv2d/simd.js';

import { withSimd, whyNot } from '../kernels/simd/runtime.js';
import { integers } from '../src/verify/data.js';
const W=Number(process.env.W??0) as any; const L = (process.env.LEVEL as any) ?? (whyNot('relaxed-simd') ? 'simd' : 'relaxed-simd');
const S: [number[], number[], any?][] = [
 [[8,28,28,1],[3,3,32]], [[8,28,28,32],[3,3,64]], [[1,56,56,64],[3,3,64]], [[1,14,14,256],[3,3,256]], [[1,112,112,32],[1,1,64]],
 [[1,224,224,3],[7,7,64],2], [[1,17,17,768],[1,1,192]], [[1,17,17,192],[1,7,192]], [[1,112,112,24],[1,1,144]], [[1,7,7,512],[3,3,512]], [[1,224,224,3],[3,3,32],2], [[1,56,56,128],[3,3,128],2], [[1,28,28,8],[3,3,16]],
];
await tf.setBackend('wasm');
const only=process.argv[2]; const what=process.argv[3]??'fwd,dx,dw';
for (const [xs,[fh,fw,oc],st] of S) {
  if (only && !xs.join('x').includes(only)) continue;
  const g=convGeometry(xs,[fh,fw,xs[3],oc],{strides:st??1,pad:'same'});
  const f=(s:readonly number[],k:number)=>Float32Array.from(integers(sizeOf(s),k,4));
  const x=f(g.inShape,1), w=f(g.filterShape,2), dy=f(g.outShape,3);
  const tx=tf.tensor(x,[...xs]), tw=tf.tensor(w,[...g.filterShape]), td=tf.tensor(dy,[...g.outShape]);
  const attrs={strides:st??1,pad:'same',dataFormat:'NHWC',dilations:1};
  const gf=2*sizeOf(g.outShape)*fh*fw*xs[3]/1e6;
  const ours:any={fwd:()=>withSimd(L,s=>simd.conv2d(s,x,w,g,new Float32Array(sizeOf(g.outShape)),W)), dx:()=>withSimd(L,s=>simd.conv2dBackpropInput(s,dy,w,g,new Float32Array(x.length),W)), dw:()=>withSimd(L,s=>simd.conv2dBackpropFilter(s,x,dy,g,new Float32Array(w.length)))};
  const theirs:any={fwd:()=>(tf.engine().runKernel('Conv2D',{x:tx,filter:tw},attrs) as tf.Tensor).dispose(), dx:()=>(tf.engine().runKernel('Conv2DBackpropInput',{dy:td,filter:tw},{...attrs,inputShape:xs}) as tf.Tensor).dispose()};
  const line=[`${xs.join('x')} ${fh}x${fw}x${oc}${st?' s'+st:''}`.padEnd(26)];
  for (const k of what.split(',')) {
    const a=ours[k], b=theirs[k]; const ta:number[]=[],tb:number[]=[];
    const ms=(fn:any,T:number)=>{ let t=performance.now(),j=0; do {fn();j++} while(performance.now()-t<T); return (performance.now()-t)/j; };
    ms(a,150); if(b&&k==='fwd') ms(b,60);
    for (let i=0;i<15;i++){ ta.push(ms(a,12)); if(b&&(k==='fwd'||i<2)) tb.push(ms(b,12)); }
    const med=(v:number[])=>v.sort((p,q)=>p-q)[v.length>>1];
    const A=med(ta); line.push(`${k} ${A.toFixed(2)}ms ${(gf/A).toFixed(1)}`); if(b){const B=med(tb); line.push(`wasm ${(gf/B).toFixed(1)} ratio ${(B/A).toFixed(2)}`);}
  }
  console.log(line.join(' | '));
}
console.log(L, process.version);
