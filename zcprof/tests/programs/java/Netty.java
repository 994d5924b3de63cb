import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.DefaultFileRegion;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.stream.ChunkedNioFile;
import io.netty.handler.stream.ChunkedWriteHandler;
import java.io.File;
import java.nio.channels.FileChannel;

/** The same by Netty: a file region, and behind its TLS, which takes none, pieces of the file. */
final class Netty {
    private Netty() {}

    static void serve(boolean encrypts, int port) throws Exception {
        SslContext tls = encrypts
                ? SslContextBuilder.forServer(new File("/srv/cert.pem"), new File("/srv/key.pem")).build()
                : null;
        EventLoopGroup group = new NioEventLoopGroup(1);
        ServerBootstrap server = new ServerBootstrap().group(group).channel(NioServerSocketChannel.class);
        server.childHandler(new ChannelInitializer<SocketChannel>() {
            @Override
            protected void initChannel(SocketChannel channel) {
                if (tls != null) {
                    channel.pipeline().addLast(tls.newHandler(channel.alloc()));
                }
                channel.pipeline().addLast(new ChunkedWriteHandler(), new Answer(tls != null));
            }
        });
        server.bind(port).sync().channel().closeFuture().sync();
    }

    /** Answers the first piece of a request with the file. */
    private static final class Answer extends SimpleChannelInboundHandler<ByteBuf> {
        private final boolean encrypts;
        private boolean answered;

        Answer(boolean encrypts) {
            this.encrypts = encrypts;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf request) throws Exception {
            if (answered) {
                return;
            }
            answered = true;
            FileChannel file = FileChannel.open(Serve.BODY);
            context.write(Unpooled.wrappedBuffer(Serve.header(file.size())));
            Object body = encrypts
                    ? new ChunkedNioFile(file, 65536)
                    : new DefaultFileRegion(file, 0, file.size());
            context.writeAndFlush(body).addListener(ChannelFutureListener.CLOSE);
        }
    }
}
