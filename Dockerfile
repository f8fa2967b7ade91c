# The project files alone. Their copy below is cached by content, so that an edited .cs file restores nothing again, and
# a new project needs no line here.
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0 AS projects
WORKDIR /projects
COPY src src
RUN find src -type f ! -name '*.csproj' ! -name packages.lock.json -delete

# Runs on the builder's own architecture and compiles for the image's: nothing is emulated.
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY --from=projects /projects ./
# The first restore holds every package to the lock files. The second adds what one architecture needs, the runtime and
# the ReadyToRun compiler, which lock files never name; its packages are the ones that the first has just checked.
RUN for project in Server Cli; do \
      dotnet restore src/Perch.$project --locked-mode && dotnet restore src/Perch.$project --arch $TARGETARCH || exit 1; \
    done
COPY .editorconfig BannedSymbols.txt appsettings.json ./
COPY src src
RUN dotnet publish src/Perch.Server --configuration Release --arch $TARGETARCH --no-restore --output /image/app \
    && dotnet publish src/Perch.Cli --configuration Release --arch $TARGETARCH --no-restore --output /image/cli
# The server reads /app/appsettings.json, which leads to /config: a folder to mount. A single file that is mounted stays
# the old one when an editor saves by rename.
RUN mkdir -p /image/config /image/data \
    && mv /image/app/appsettings.json /image/config/ \
    && ln -s /config/appsettings.json /image/app/appsettings.json

FROM mcr.microsoft.com/dotnet/aspnet:10.0
LABEL org.opencontainers.image.title="Perch" \
      org.opencontainers.image.description="Hosts raw TCP and UDP protocols on ASP.NET Core Kestrel" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=build /image/app ./
# In a folder of its own: perch.
COPY --from=build /image/cli /opt/perch
RUN ln -s /opt/perch/perch /usr/local/bin/perch
COPY --from=build /image/config /config
COPY --from=build --chown=$APP_UID:$APP_UID /image/data ./data
# A container has its own loopback: what is to be reached from outside listens on all its addresses.
ENV Perch__Address=0.0.0.0 \
    Kestrel__Endpoints__Admin__Url=http://0.0.0.0:8080
USER $APP_UID
EXPOSE 5514 5514/udp 6969/udp 8000 8080 9993 9994 9994/udp 9995 9996 9997 9998 9999 25000 25000/udp 25001 25002
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["./perch-server", "--health"]
ENTRYPOINT ["./perch-server"]
